/* MCP over HTTP as streamable.c, transfer.c and links.c see it; theirs alone. */
#ifndef SIDELOCK_CONNECT_HTTP_H
#define SIDELOCK_CONNECT_HTTP_H

#include "connect/bridge/bridge.h"
#include "wire/http_body.h"
#include "wire/http_response.h"
#include "wire/sse.h"

#define LINKS_MAX          32   /* connections at once; what needs more waits */
#define LINKS_REQUESTS_MAX 24   /* of them for requests, so that answers always find one */
#define LINK_IDLE_MS       5000 /* one that was idle for longer is not used again */
#define RESUMES_MAX        5    /* tries in a row to take up a broken stream */
#define RESUME_FIRST_MS    1000 /* unless the service says */
#define RETRY_MAX_MS       60000
#define MCP_SESSION_SIZE   257
#define EVENT_ID_SIZE      257
#define EVENT_SLACK_BYTES  4096  /* what an event has beside its data */
#define REFUSAL_BYTES_MAX  65536 /* of the body of an error */

struct streamable;
struct transfer;

/* links.c: one keep-alive connection. */
struct link {
    struct link *next;
    struct streamable *owner;
    struct stream *stream;
    struct transfer *transfer; /* NULL: idle */
    bool opened;
    uint64_t idle_since_ms;
};

enum transfer_kind { TRANSFER_POST = 1, TRANSFER_LISTEN, TRANSFER_DELETE };
enum transfer_use { USE_NOTHING = 0, USE_MESSAGE, USE_EVENTS, USE_REFUSAL };

struct transfer {
    struct transfer *next;
    struct streamable *owner;
    struct link *link; /* NULL: none yet, or waiting to take up its stream */
    enum transfer_kind kind;
    struct letter *letter;     /* of a POST; owned */
    char key[RPC_ID_KEY_SIZE]; /* of the request it is to answer; "": none */
    bool answered, sent, has_head, ended;
    bool resuming; /* a POST whose stream is taken up by a GET */
    struct buffer head;
    unsigned status;
    struct http_body body;
    enum transfer_use use;
    struct buffer text;             /* of USE_MESSAGE and USE_REFUSAL */
    struct sse_parser events;       /* of USE_EVENTS */
    char session[MCP_SESSION_SIZE]; /* the service's, as it was sent with; "": none */
    char last_id[EVENT_ID_SIZE];
    uint64_t retry_ms; /* 0: not said */
    unsigned resumes;
    uv_timer_t timer;
};

struct streamable {
    struct connect *connect;
    struct letters queue;
    struct transfer *transfers;
    struct link *links;
    size_t link_count;
    struct transfer *barrier;       /* nothing is sent before it is through */
    char session[MCP_SESSION_SIZE]; /* Mcp-Session-Id; "": none */
    bool down, waiting; /* the gate was not there; for what is wanted of the control socket */
    unsigned wants;
    bool replay_needed, listen_wanted;
    struct backoff backoff;
    uv_timer_t retry;
};

/* links.c */
/* Gives the transfer a connection, an idle one or a new one, and calls transfer_send() in time. */
void links_take(struct streamable *http, struct transfer *transfer);
/* The transfer is through with it: it is kept if it can be used again. */
void links_give_back(struct link *link, bool reusable);
bool links_has_room(const struct streamable *http, bool request);
void links_pause(struct streamable *http, bool pause);
void links_clear(struct streamable *http);

/* transfer.c */
/* Takes the letter over (NULL: it is no POST). NULL without memory; the letter is then freed. */
struct transfer *transfer_create(struct streamable *http, enum transfer_kind kind,
                                 struct letter *letter);
/* Ends it without another word; a connection in the middle of it is closed. */
void transfer_destroy(struct transfer *transfer);
/* From links.c: the connection is open; bytes from it; it ended. */
void transfer_send(struct transfer *transfer);
void transfer_received(struct transfer *transfer, const char *bytes, size_t length);
void transfer_lost(struct transfer *transfer);

/* streamable.c, told by transfer.c */
/* The answer's head is good; its session, if it names one, has been noted. */
void streamable_accepted(struct transfer *transfer);
/* The answer to its request has come; the stream may go on. */
void streamable_answered(struct transfer *transfer);
/* It is through; `why` NULL: and in order. Destroys it. */
void streamable_done(struct transfer *transfer, const char *why);
/* It was answered with an error status, and `text` is the body. Destroys it. */
void streamable_refused(struct transfer *transfer);
/* The gate could not be reached: nothing was sent. Destroys it. */
void streamable_unreachable(struct transfer *transfer);

#endif
