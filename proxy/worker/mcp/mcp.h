/*
 * MCP over HTTP (Streamable HTTP in both eras, and the older HTTP+SSE): what is kept of
 * an exchange on a route of kind mcp-http beside the relaying.
 *
 *   mcp_request.c   a POST's message is vetted before the service hears of it
 *   mcp_gate.c      an answer that is one message; the content gate that all of it is
 *   mcp_events.c    an answer that is a stream of events: each is vetted, and written anew
 *   mcp_ending.c    what ends an exchange without its answer
 *   mcp_told.c      what the gate itself tells both sides: who waits, and whose work is in vain
 *   mcp_sessions.c  who opened which MCP session
 *   mcp_endpoints.c where the POSTs of HTTP+SSE go, and whose they are
 */
#pragma once

#include "vet/ahead.h"
#include "vet/mcp_http.h"
#include "wire/sse.h"
#include "worker/http/exchange.h"
#include "worker/mcp/mcp_endpoints.h"
#include "worker/mcp/mcp_sessions.h"

/* What all exchanges share; empty but for the quotas of its sessions. */
struct mcp_shared {
    struct mcp_sessions sessions;
    struct mcp_endpoints endpoints;
};

struct mcp {
    struct mcp_session *session; /* held; NULL: none is named */
    /* Without one: the gate's session's own, for what the service asks; held; NULL until needed. */
    struct mcp_session *common;
    struct vet_state *own; /* without a session; owned; NULL until needed */
    char *target;          /* the path and query that were asked for; owned */
    char *headers[3];      /* of struct mcp_http_headers; owned */
    bool post, deletes, replay;
    bool endpoint;             /* the stream of HTTP+SSE whose session ends with it */
    bool resumable;            /* the answer may come on another stream */
    bool modern;               /* of the era in which the end of its stream cancels a request */
    bool has_events;           /* of a stream: one has come */
    bool has_strange;          /* of a stream: one was noted that MCP does not have */
    char *awaited;             /* the id of the request that was forwarded; owned; NULL: none */
    struct sse_parser *events; /* of a stream; owned; NULL until it begins */
    struct json_scan *ahead;   /* of a long answer that is coming; owned; NULL: of none */
    struct salvage *salvage;   /* of an event that is beyond the limit; owned; NULL: of none */
};

/* Of an exchange whose gate this is. */
static inline struct mcp *mcp_of(const struct exchange *exchange)
{
    return exchange->content;
}

static inline struct mcp_shared *mcp_shared_of(const struct exchange *exchange)
{
    return exchange->gate->context;
}

static inline struct mcp_sessions *mcp_sessions_of(const struct exchange *exchange)
{
    return &mcp_shared_of(exchange)->sessions;
}

/* Begins with what a head asks for; NULL without memory. */
struct mcp *mcp_create(struct exchange *exchange, const struct request *asked);
/* Nothing more is read of a stream. */
void mcp_forget_stream(struct exchange *exchange);
/* Forgets the exchange. */
void mcp_end(struct exchange *exchange);
/* What waits for an answer: of the MCP session, else of this exchange; NULL without memory. */
struct vet_state *mcp_state(struct exchange *exchange);
/* Whether its request waits for an answer. */
bool mcp_waits(struct exchange *exchange);
/* Vets a message, a client's with its headers, and notes it; false without memory. */
bool mcp_vet(struct exchange *exchange, enum direction direction, bool replay, struct span text,
             struct vet_result *result);
/* The same of what a service said beyond the limit. */
bool mcp_vet_too_big(struct exchange *exchange, const struct salvage *salvage,
                     struct vet_result *result);
/* The service opened an MCP session: from now on it belongs to whoever asked for it. */
enum reason mcp_open_session(struct exchange *exchange, struct span id);
/* The same for the endpoint that a stream of HTTP+SSE is told: `target` is as the service wrote it.
 */
enum reason mcp_open_endpoint(struct exchange *exchange, struct span target,
                              const struct mcp_place *place);

/* What a client asks. */
struct gate_verdict mcp_request_begins(struct exchange *exchange);
struct gate_verdict mcp_request_whole(struct exchange *exchange, struct span body);
/* There is so much of an answer so far; and it is over, vetted or not. */
void mcp_look_ahead(struct exchange *exchange, struct span text);
void mcp_forget_ahead(struct exchange *exchange);
/* A piece of an answer that is a stream of events. */
enum reason mcp_events_receive(struct exchange *exchange, struct span piece);
/*
 * Tells the service something, at the endpoint that it named or where the client asked: as soon
 * as there is a link for it, or with `last` at the end of the exchange.
 */
void mcp_tell(struct exchange *exchange, bool last, struct span text);
/* Writes a message as an event behind what waits to be sent on. */
void mcp_write_event(struct exchange *exchange, struct span text);
/* A service has ended its stream; and what else ends an exchange (gate.h). */
enum reason mcp_events_end(struct exchange *exchange);
struct gate_verdict mcp_fails(struct exchange *exchange, enum reason reason);
/* How one that waits ends; `client`: it is there to be told, by an event or by a message alone. */
struct mcp_end {
    enum reason reason;
    bool client, event;
};

/* Ends the exchange's own request, of a GET one of those whose answer comes there if anywhere: what
 * is told is written to exchange->text, and kept for the service. False if none waits. */
bool mcp_end_one(struct exchange *exchange, const struct mcp_end *end);
/* All that wait so wait no more: the client is told why, as events. */
void mcp_fail_event(struct exchange *exchange, enum reason reason);
/*
 * In HTTP+SSE a request is answered on the stream, and its POST only accepted: the verdict for the
 * POST, whose `text` has gone there if it could.
 */
struct gate_verdict mcp_answer_on_stream(struct exchange *exchange,
                                         const struct gate_verdict *verdict);
/* A message of the gate's own on the stream of HTTP+SSE; false if it ended, or is not read. */
bool mcp_events_say(struct exchange *stream, struct span text);
/* The content gate; `shared` is borrowed. */
struct content_gate mcp_gate(struct mcp_shared *shared);
/* Ends all sessions; their exchanges have ended before. */
void mcp_shared_clear(struct mcp_shared *shared);
