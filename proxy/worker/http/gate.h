/*
 * A content gate: who looks into what an exchange carries, chosen with its route. It is
 * asked at four moments, of a stream of events at each piece, and where an exchange ends
 * otherwise than it should; a moment that a gate does not have (NULL) lets everything pass. It
 * decides, and the exchange acts.
 */
#pragma once

#include "config/config.h"
#include "wire/http_head.h"

struct exchange;

enum gate_action {
    GATE_DROP = 0, /* the connection is dropped, for `reason` */
    GATE_PASS,     /* on, unread: the request to the service, the answer to the client */
    GATE_HOLD,     /* the body is collected first, and shown when it is whole */
    GATE_PIECES,   /* the answer's body goes through `answer_piece`, and comes out otherwise */
    GATE_SEND,     /* the service's head and `text` instead of the body that was held; at its end,
                      `text` and the proper end of the stream */
    GATE_ANSWER,   /* an answer of the gate's own instead: status, type and text */
};

struct gate_verdict {
    enum gate_action action;
    enum reason reason;
    unsigned status;
    const char *type;
    struct span text; /* valid as long as the exchange is not used further */
};

struct content_gate {
    /* The service is told to answer without a content coding. */
    bool reads_answer;
    /* Of a request that it holds, it says by itself that it is too much for now (exchange->late).
     */
    bool says_late;
    /* The request's head is there. DROP, PASS, HOLD, or ANSWER, which is a denial for `reason`. */
    struct gate_verdict (*request_begins)(struct exchange *exchange);
    /* Its body is whole. DROP, PASS or ANSWER. */
    struct gate_verdict (*request_whole)(struct exchange *exchange, struct span body);
    /* The answer's head is there. DROP, PASS, HOLD or PIECES. */
    struct gate_verdict (*answer_begins)(struct exchange *exchange,
                                         const struct http_response *response);
    /* More of a body that is held is there. */
    void (*answer_grows)(struct exchange *exchange, struct span body);
    /* Its body is whole. DROP, SEND or ANSWER. */
    struct gate_verdict (*answer_whole)(struct exchange *exchange,
                                        const struct http_response *response, struct span body);
    /* A piece of it: sends on what comes of it. */
    enum reason (*answer_piece)(struct exchange *exchange, struct span piece);
    /* The service has ended an answer in pieces: sends on what is still to be said. */
    enum reason (*answer_ends)(struct exchange *exchange);
    /*
     * The exchange ends before its answer is whole, for this reason: what whoever waits is told.
     * ANSWER if nothing of an answer has gone to the client, SEND if one in pieces has, or DROP;
     * the service is told with reply_write().
     */
    struct gate_verdict (*fails)(struct exchange *exchange, enum reason reason);
    /* The exchange is over: forgets exchange->content. */
    void (*end)(struct exchange *exchange);
    void *context; /* the gate's own, for all exchanges */
};

static inline struct gate_verdict gate_drop(enum reason reason)
{
    return (struct gate_verdict){.action = GATE_DROP, .reason = reason};
}

static inline struct gate_verdict gate_go(enum gate_action action)
{
    return (struct gate_verdict){.action = action, .reason = REASON_ALLOWED};
}

/* ---- content.c: the gates that need no more than the route says ---- */

/*
 * What passes as it is, a request's body that must be the stored one, an answer whose
 * URLs are rewritten.
 */
const struct content_gate *content_gate_of(const struct route *route);
/* Whether a request's type and coding are such that its body can be read as JSON. */
enum reason content_check_json(const struct http_request *request);
