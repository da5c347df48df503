/*
 * A connection that speaks HTTP under a grant, as a connection's mode:
 *
 *   cover.c     what a grant rests on, and which further requests it covers
 *   request.c   the request: judged, its head composed anew, its body held or streamed
 *   gate.h      who looks into what is carried; content.c: the gates that the route alone needs
 *   pool.c      links to the services
 *   answer.c    the answer: its head composed anew, its body streamed or held
 *   deadline.c  how long it waits for whom
 *   exchange.c  what all these share, and what the gate itself tells the service
 *   ending.c    how it ends before its time
 *   http.c      what follows on what
 *
 * One exchange after another on a client's connection, each a request that is forwarded
 * and an answer that is passed back. Memory is bounded: of a streamed body one read
 * each way; of a held one limits.max_message_bytes, and of an answer max_answer_bytes.
 */
#pragma once

#include "wire/http_body.h"
#include "worker/client/client.h"
#include "worker/http/cover.h"
#include "worker/http/gate.h"
#include "worker/http/pool.h"

/* What all connections that speak HTTP share; embedded by its owner, who sets it up. */
struct http {
    struct pool pool;
    const struct content_gate *(*gate_of)(const struct http *http, const struct route *route);
};

enum exchange_phase {
    EXCHANGE_IDLE = 0,  /* between two requests */
    EXCHANGE_HOLDING,   /* the request is looked into, and its body collected if need be */
    EXCHANGE_DIALLING,  /* the broker has been asked for a link */
    EXCHANGE_SENDING,   /* the request is under way; no head of an answer yet */
    EXCHANGE_ANSWERING, /* the answer's body is under way */
};

struct exchange {
    struct connection *connection;
    struct http *http;
    const struct content_gate *gate;
    void *content; /* the gate's own; NULL: none */
    struct cover cover;
    enum exchange_phase phase;
    enum gate_action answer; /* what becomes of the answer's body: PASS, HOLD or PIECES */
    bool keep_alive, head_only, expect_continue;
    bool stored;         /* the route adds stored values: the broker writes the head */
    bool retried;        /* on a second link */
    bool deaf;           /* the service takes no more of the request */
    bool hung_up;        /* the service has said its last */
    bool within;         /* an event of its answer has begun that is not whole */
    bool parting;        /* nothing is left of it but what the service is to be told */
    enum reason ended;   /* and why that is */
    enum reason late;    /* the request is too much for now; REASON_INTERNAL: it is not */
    bool body_counted;   /* among those that the session is sending */
    bool pipelined;      /* the client has sent more than its request */
    bool answer_begun;   /* bytes of it went to the client */
    bool answer_chunked; /* towards the client */
    char method[REQUEST_METHOD_BYTES_MAX + 1];
    char *host;           /* towards the service; owned */
    struct buffer line;   /* the request line and Host */
    struct buffer fields; /* the other header lines, without the end of the head */
    struct buffer head;   /* the answer's, until complete, or while its body is held */
    struct buffer text;   /* of the gate's own making */
    struct buffer reply;  /* a POST of the gate's own that waits for a link; "": none */
    struct assembly held; /* body of the request, then of the answer */
    struct span whole;    /* that of the answer, if it came at once; else absent */
    char body_digest[SHA256_HEX_SIZE]; /* of the client's value for the route's `body`; "": none */
    struct http_body request_body, answer_body;
    uint64_t request_bytes;
    uint64_t activity_ms; /* when the last byte of a body came, or one of the answer's was taken */
    uint64_t begun_ms;    /* when the request's head was there */
    uint64_t sent_ns;     /* when the service was first sent some of it on this link */
    uint64_t body_clock_ms; /* paid by the request's body (base/pace.h) */
    struct link *link;      /* NULL: none yet, or none any more */
    unsigned interim;       /* 1xx answers so far */
    uint32_t content_bytes; /* of memory that `content` keeps */
};

/* The broker's yes to an HTTP request: remembers what it rests on, and begins. */
void http_begin(struct http *http, struct connection *connection,
                const struct ipc_verdict *verdict);

struct exchange *exchange_create(struct connection *connection, struct http *http);
void exchange_destroy(struct exchange *exchange);
/* Forgets the request; what it was granted under and what still has to be sent stay. */
void exchange_reset(struct exchange *exchange);
/*
 * A body that does not come at once is one of so many that the session may be sending
 * (policy/quota.h): counted as long as it is on its way. Idempotent.
 */
enum reason exchange_count_body(struct exchange *exchange) MUST_CHECK;
void exchange_forget_body(struct exchange *exchange);
/* Of both messages, whatever is kept of them: they go nowhere any more. */
void exchange_forget_bytes(struct exchange *exchange);
/* Whether more of the request's body may be read now. */
bool exchange_wants_body(const struct exchange *exchange);
/* Decides who is read, from who can be written to. */
void exchange_watch(struct exchange *exchange);
/* The service takes nothing any more; what it had said before is still to be read. */
void exchange_turn_deaf(struct exchange *exchange);
/* What was held: of the request, or of the answer. */
struct span exchange_text(const struct exchange *exchange);
/* The question for a link that carries it. */
struct ipc_dial exchange_dial(const struct exchange *exchange);

/* The bytes that the client has not taken yet. */
static inline struct outgoing *exchange_out(const struct exchange *exchange)
{
    return &exchange->connection->client->endpoint.out;
}

static inline const struct surface_limits *exchange_limits(const struct exchange *exchange)
{
    return &exchange->connection->surface->limits;
}

/* Whose links it may use: a stdio service has a process for each session. */
static inline const char *exchange_owner(const struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;

    return connection->surface->upstream_stdio ? connection->session_id : "";
}

static inline uint64_t exchange_now_ms(const struct exchange *exchange)
{
    return worker_now_ms(exchange->connection->worker);
}

static inline bool exchange_is_under_way(const struct exchange *exchange)
{
    return exchange->connection->state == CONNECTION_SERVED;
}

/* The parts of a piece of a body as it is sent on: framed, if that is in chunks. */
struct framed_piece {
    char header[HTTP_CHUNK_HEADER_MAX];
    struct iovec parts[3];
};
void exchange_frame(struct framed_piece *framed, struct span piece, bool chunked);

/*
 * A service that asks for what it may not is told so: on a stream of events it
 * waits for a POST with the answer, which here is the gate's own. Its link is
 * used for nothing else.
 */
struct reply {
    const char *target;  /* where it goes; NULL: where the exchange's own request went */
    const char *headers; /* lines that are the caller's */
    struct span text;    /* JSON */
};

/* Keeps it until there is a link for it; what is too long is not said. False: nothing was kept. */
bool reply_write(struct exchange *exchange, const struct reply *reply);
/* The same, and asks for a link, if none is asked for yet. */
void reply_send(struct exchange *exchange, const struct reply *reply);
/* Asks for a link for what is kept; false if nobody can be asked. */
bool reply_ask(const struct exchange *exchange);
/* Says it on a link, which nothing is said on afterwards; `leave`: and the service is told so. */
void reply_say(struct exchange *exchange, struct link *link, bool leave);
/* The link that was asked for; taken over. */
void reply_linked(struct exchange *exchange, enum reason reason, int fd);
