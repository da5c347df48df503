/*
 * HTTP: one exchange after another on a client's connection, each a request
 * that is forwarded and an answer that is passed back.
 *
 *   grant.c     what the broker has permitted on this connection, and whom it covers
 *   exchange.c  the life of an exchange: who is read, its end, its time
 *   request.c   the request: its head composed anew, a link
 *   body.c      the body of the request, held or streamed
 *   held.c      bodies that are held until somebody has looked into them
 *   answer.c    the answer: its head composed anew, its body streamed or held
 *   pool.c      links to the services
 *
 * Memory is bounded: of a streamed body one read each way; of a held one
 * limits.max_message_bytes.
 */
#ifndef SIDELOCK_WORKER_EXCHANGE_H
#define SIDELOCK_WORKER_EXCHANGE_H

#include "base/secret.h"
#include "wire/http_body.h"
#include "wire/http_response.h"
#include "worker/client/connection.h"
#include "worker/http/pool.h"

#define KEEP_ALIVE_TIMEOUT_MS 75000
#define INTERIM_ANSWERS_MAX   16 /* 1xx before the answer itself */

enum exchange_phase {
    EXCHANGE_IDLE = 0,  /* between two requests */
    EXCHANGE_HOLDING,   /* the request is looked into, and its body collected if need be */
    EXCHANGE_DIALLING,  /* the broker has been asked for a link */
    EXCHANGE_SENDING,   /* the request is under way; no head of an answer yet */
    EXCHANGE_ANSWERING, /* the answer's body is under way */
};

/* What becomes of the answer's body. */
enum answer_mode { ANSWER_STREAM = 0, ANSWER_HOLD, ANSWER_EVENTS };

struct mcp;

/* What the grant rests on: as long as a request brings the same, the broker need not be asked. */
struct grant {
    bool given;
    char *host, *origin, *authorization; /* owned; NULL: absent */
};

struct exchange {
    struct grant grant;
    enum exchange_phase phase;
    bool keep_alive, head_only, expect_continue;
    bool stored;    /* the route adds stored values: the broker writes the head */
    bool retried;   /* on a second link */
    bool deaf;      /* the service takes no more of the request */
    bool pipelined; /* the client has sent more than its request */
    char method[REQUEST_METHOD_BYTES_MAX + 1];
    char *host;                        /* towards the service; owned */
    struct buffer line;                /* the request line and Host */
    struct buffer fields;              /* the other header lines, without the end of the head */
    struct buffer head;                /* the answer's, until complete */
    struct assembly held;              /* body of the request, then of the answer */
    struct span whole;                 /* that of the answer, if it came at once; else absent */
    char body_digest[SHA256_HEX_SIZE]; /* of the client's value for the route's `body`; "": none */
    struct http_body request_body, answer_body;
    uint64_t request_bytes;
    uint64_t activity_ms;      /* when the last byte of a body came */
    struct mcp *mcp;           /* on a route of kind mcp-http (mcp.h) */
    struct upstream *upstream; /* NULL: none yet, or none any more */
    enum answer_mode mode;
    bool answer_begun;   /* bytes of it went to the client */
    bool answer_chunked; /* towards the client */
    unsigned interim;    /* 1xx answers so far */
    struct buffer reply; /* a POST of the gate's own that waits for a link; "": none */
    struct outgoing out; /* towards the client */
    uint64_t requests;   /* under this grant */
};

/* grant.c */
/* The broker's yes to an HTTP request: remembers it, and begins. */
void grant_given(struct connection *connection, const struct ipc_verdict *verdict,
                 const struct ipc_admit *admit);
/* Whether this request needs no question of its own. */
bool grant_covers(const struct connection *connection, const struct ipc_admit *admit);
/* Ends the grant, if there is one, and tells the broker. */
void grant_end(struct connection *connection, enum reason reason);

/* exchange.c */
enum error exchange_create(struct connection *connection) MUST_CHECK;
void exchange_destroy(struct connection *connection);
/* Whether more of the request's body may be read now. */
bool exchange_wants_body(const struct exchange *exchange);
/* Decides who is read, from who can be written to. */
void exchange_watch(struct connection *connection);
/* Sends to the client; drops the connection if that is gone. False then. */
bool exchange_send(struct connection *connection, const struct iovec *parts, size_t count);
/* The same for a head and a body, which may be all that is held: then it is held no more. */
bool exchange_send_answer(struct connection *connection, struct span head, struct span body);
/* The parts of a piece of a body as it is sent on: framed, if that is in chunks. */
struct framed_piece {
    char header[HTTP_CHUNK_HEADER_MAX];
    struct iovec parts[3];
};
void exchange_frame(struct framed_piece *framed, struct span piece, bool chunked);
/* A complete answer of the gate's own; the connection goes on. */
void exchange_answer(struct connection *connection, unsigned status, const char *type,
                     struct span text);
/* The answer is complete: on to the next request, or goodbye. */
void exchange_finish(struct connection *connection);
/* Ends it: a denial where nothing was answered yet, else the end of the connection. */
void exchange_drop(struct connection *connection, enum reason reason);
void exchange_tick(struct connection *connection, uint64_t now_ms, int64_t now_s);

/* request.c */
/* An admitted request, whose head is in the handshake. */
void exchange_begin(struct connection *connection, const struct ipc_admit *admit);
/* Asks the broker for a link. */
void request_dial(struct connection *connection);
/* For the request in `reply`; its link is told by mcp_reply_linked(). */
void request_dial_for_reply(struct connection *connection);
/* On another link, if this one may have been closed while it was idle; false if not. */
bool request_again(struct connection *connection);
/* The broker's answer: goes on with the link, which is taken over. */
void exchange_linked(struct connection *connection, enum reason reason, int fd);
/* The held body was looked into, and goes to the service. */
void exchange_forward(struct connection *connection);

/* body.c */
void exchange_client_ready(struct connection *connection, int events);

/* held.c */
/* Whether this request's body is to be held; REASON_ALLOWED, or why it is refused unread. */
enum reason held_begin(struct connection *connection, const struct ipc_admit *admit, bool *hold);
/* The request's type and coding are such that its body can be vetted as JSON. */
enum reason held_check_json(const struct http_request *request);
/* The whole body of the request is there. */
void held_complete(struct connection *connection);
/* What becomes of the answer's body, now that its head is there. */
enum reason held_answer_begin(struct connection *connection, const struct http_response *response,
                              enum answer_mode *mode);
/* The held answer is whole. */
void held_answer(struct connection *connection);
struct span held_text(const struct exchange *exchange);
/* The answer's head, read once more; false if it is gone. */
bool held_response(const struct exchange *exchange, struct http_response *out);
/* Answers with the service's head and this text. */
void held_send(struct connection *connection, const struct http_response *response,
               struct span text);

/* answer.c */
/* The head towards the client, with the whole body or none; false: the connection is dropped. */
bool answer_send(struct connection *connection, const struct http_response *response,
                 const struct http_body *framing, struct span body);
/* A piece of a streamed body. */
bool answer_send_piece(struct connection *connection, struct span piece);
/* The body's end. */
void answer_end(struct connection *connection);
void exchange_upstream_ready(struct connection *connection, int status, int events);
#endif
