/*
 * The worker's state: one thread, one loop, and a list of connections. Shared
 * by the files of this folder and by nobody else.
 *
 *   worker.c      starts, runs and drains; the channel to the broker; the tick
 *   accept.c      listeners: who is it, is there room, a connection is born
 *   secure.c      the certificates of surfaces; TLS of a connection
 *   tls.c         TLS on the client's socket; what follows sees a plain one
 *   handshake.c   HTTP before 101: read the head, ask the broker, or deny
 *   asked.c       what a request's head asks for
 *   own_paths.c   /.sidelock/...: pages for people, bodies for the broker
 *   denial.c      what a client is told that is not let in
 *   upgrade.c     the service's 101, then the client's
 *   downstream.c  the client's WebSocket (libwebsockets)
 *   link.c        the service's WebSocket: frames on the descriptor the broker gave
 *   relay.c       whole messages: vet, forward or refuse; flow control
 *   connection.c  one life cycle, one way out: connection_drop()
 *   exchange.h    HTTP under a grant: one request and answer after another
 *   report.c      what the broker is told, for the audit log
 */
#ifndef SIDELOCK_WORKER_STATE_H
#define SIDELOCK_WORKER_STATE_H

#include "base/buffer.h"
#include "base/reason.h"
#include "base/secret.h"
#include "config/config.h"
#include "ipc/channel.h"
#include "ipc/messages.h"
#include "policy/login_cookie.h"
#include "policy/request.h"
#include "system/caller.h"
#include "system/listener.h"
#include "vet/vet.h"
#include "wire/http_request.h"
#include "wire/ws_reader.h"
#include "worker/mcp/mcp_sessions.h"
#include "worker/tls/tls.h"
#include "worker/worker.h"

#include <uv.h>

#define HEAD_TIMEOUT_MS        10000
#define ADMISSION_TIMEOUT_MS   2000
#define LINGER_TIMEOUT_MS      1000
#define CLOSE_TIMEOUT_MS       2000
#define DRAIN_TIMEOUT_MS       5000
#define TICK_MS                100
#define READ_BYTES             65536 /* one read from a link */
#define ANSWER_READ_BYTES      (READ_BYTES + HTTP_HEAD_BYTES_MAX)
#define LINK_QUEUE_BYTES_PAUSE 262144 /* more than this unsent: stop reading the service too */
#define REQUEST_ID_SIZE        17
#define GATE_PING              "sidelock" /* payload of the gate's own pings */
#define GATE_PING_BYTES        (sizeof(GATE_PING) - 1)
#define PRE_BYTES              ASSEMBLY_HEADROOM /* before a payload for libwebsockets: at least LWS_PRE */

struct worker;

enum connection_state {
    CONNECTION_HEAD = 0,  /* reading the request's head */
    CONNECTION_ADMITTING, /* the broker has been asked */
    CONNECTION_LINKING,   /* the service has been asked for its 101 */
    CONNECTION_OPEN,      /* both WebSockets are up */
    CONNECTION_CLOSING,   /* nothing is forwarded any more; close frames are under way */
    CONNECTION_EXCHANGE,  /* HTTP: a request is being answered (exchange.h) */
    CONNECTION_LINGERING, /* the last answer was written; the client may read it */
};

/*
 * The client's side as long as HTTP is spoken: until a WebSocket's 101 and not a
 * moment longer, or as long as the connection lives.
 */
struct handshake {
    uv_poll_t poll; /* on the client's descriptor */
    int events;     /* that are watched for */
    int fd;         /* -1 once libwebsockets has it */
    struct connection *connection;
    char *head; /* the request as received; owned */
    size_t head_length;
    struct http_request request; /* spans into head */
    bool head_only, page;        /* how a denial is answered, once the head is gone */
    const char *body;            /* of a request to the gate's own paths, in head; NULL: none */
    char cookie[LOGIN_COOKIE_VALUE_SIZE + 1]; /* the login cookie's value; a byte longer: not one */
    char request_id[REQUEST_ID_SIZE];
    char path[REQUEST_PATH_BYTES_MAX]; /* canonical; "" until known */
    char key[WS_KEY_SIZE];             /* the client's Sec-WebSocket-Key */
    char accept[WS_ACCEPT_SIZE];       /* what the service owes */
    char ticket_subprotocol[64];       /* the ticket's subprotocol, if one was offered */
    char subprotocol[64];              /* what the client is answered; "": none */
    struct buffer offer;               /* subprotocols offered to the service */
    struct buffer response;            /* the service's head, until complete */
    struct buffer denial;  /* what is left to write of a denial, or of an answer of ours */
    size_t lingered_bytes; /* taken and thrown away after it */
};

/* The WebSocket to the service. */
struct link {
    uv_poll_t poll;
    int fd; /* -1: closed */
    int events;
    bool poll_active; /* the uv handle is initialised and not yet closed */
    bool close_sent, close_received;
    struct ws_reader reader;
    uint64_t message_since_ms; /* when a message began whose end has not come; 0: none */
    unsigned char *out;        /* masked bytes the socket did not take; owned */
    size_t out_length, out_offset, out_capacity;
    unsigned char *stash; /* read, but the client is not taking any; owned */
    size_t stash_length;
    uint64_t progress_ms; /* when bytes were last taken, while out is not empty */
};

struct connection {
    struct connection *next, *previous;
    struct worker *worker;
    uint64_t id;
    uint32_t surface_index;
    const struct surface *surface;
    const struct listener *listener;
    const struct route *route; /* known once admitted */
    enum connection_state state;
    bool admitted, opened;
    bool secured, finishing; /* TLS is up; nothing but `tls` is left of it */
    enum reason reason;      /* why it ends */
    unsigned close_code;
    uint64_t deadline_ms; /* of the current state; 0: none */
    uint64_t asked_ms;    /* when the broker was asked */
    bool caller_known;
    uint32_t caller_uid;
    struct tls *tls; /* in front of the client's descriptor; NULL: none, or it has ended */
    struct handshake *handshake; /* NULL once open */
    struct exchange *exchange;   /* NULL until HTTP was granted */
    struct lws *wsi;             /* NULL before open and after its end */
    struct link link;
    struct assembly from_client;
    bool from_client_binary;
    bool client_blocked; /* libwebsockets holds bytes the client does not take */
    bool client_paused;  /* its receive flow control is off */
    bool close_sent;     /* ours went to the client */
    bool abort_wanted;
    bool client_closed; /* its close frame came: nothing after it counts */
    char close_text[WS_CONTROL_PAYLOAD_MAX];
    size_t close_text_length;
    uint64_t blocked_since_ms, active_ms, pinged_ms;
    bool ping_outstanding;  /* the gate's own */
    unsigned service_pings; /* the service's, whose pongs it is owed */
    char session_id[IPC_SESSION_ID_SIZE];
    int64_t expires_at;
    struct text_list session_verbs, session_targets;
    bool session_verbs_set, session_targets_set;
    char match_digest[IPC_DIGEST_SIZE];
    char certificate[SHA256_HEX_SIZE]; /* the client's; "": none */
    struct vet_state *vet;
    uint64_t messages[DIRECTION_COUNT];
};

struct surface_counts {
    uint64_t forwarded, refused; /* not yet reported */
    uint32_t connections;
};

/* Links for HTTP that wait for their next exchange (pool.h). */
struct upstream_list {
    struct upstream *first; /* newest first */
    size_t count;
};

struct worker_poll {
    uv_poll_t poll;
    struct listener listener;
    uint32_t surface;
    struct worker *worker;
};

struct worker {
    const struct config *config;
    uv_loop_t loop;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    struct connection *adopting; /* whose descriptor libwebsockets is just taking */
    struct channel *channel;
    uv_poll_t channel_poll;
    int channel_events;
    uv_timer_t tick;
    uv_prepare_t reaper; /* frees the dead */
    struct worker_poll *listeners;
    size_t listener_count;
    bool accepting, ready_told;
    struct tls_context **contexts; /* one a surface; NULL: none speaks TLS */
    unsigned char *tls_scratch;    /* TLS_CHUNK_BYTES */
    struct caller_lookup *callers;
    struct surface_counts *surfaces;
    struct upstream_list spent;     /* links on which an answer of the gate's own was sent */
    struct upstream_list *idle;     /* by surface */
    size_t waiting, waiting_max;    /* links on these lists, which are no connection's */
    struct connection *connections; /* newest first */
    struct connection *dead;        /* freed before the loop next waits */
    size_t connection_count, connection_max;
    uint64_t next_id;
    struct vet_scratch *scratch;
    struct json_scan *scan; /* for bodies that are no messages */
    struct mcp_sessions mcp_sessions;
    unsigned char *read_buffer;  /* PRE_BYTES + ANSWER_READ_BYTES */
    unsigned char *write_buffer; /* WS_HEADER_MAX + READ_BYTES */
    unsigned char *ipc_buffer;   /* IPC_MESSAGE_BYTES_MAX */
    unsigned char random[4096];  /* for worker_random */
    size_t random_left;
    bool draining, stopping, failed, abort_wanted;
    uint64_t drain_deadline_ms;
};

/* worker.c */
static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return uv_now(&worker->loop);
}
/* Stops the process: the broker is gone or broke the protocol. */
void worker_fail(struct worker *worker, const char *why);
/* Random bytes for masks and names: at most a few at a time, none is given out twice. */
void worker_random(struct worker *worker, unsigned char *out, size_t length);
void worker_accept_more(struct worker *worker, bool accept);

/* accept.c */
enum error accept_start(struct worker *worker, const struct worker_options *options) MUST_CHECK;
void accept_stop(struct worker *worker);

/* connection.c */
struct connection_birth {
    struct worker *worker;
    const struct worker_poll *listener;
    int fd; /* taken over in any case */
    bool caller_known;
    uint32_t caller_uid;
};
enum error connection_create(const struct connection_birth *birth,
                             struct connection **out) MUST_CHECK;
/* The one way out: denies before 101, closes both WebSockets after it. Idempotent. */
void connection_drop(struct connection *connection, enum reason reason);
/* Keeps what the verdict says for as long as the connection lives. */
enum error connection_keep_verdict(struct connection *connection,
                                   const struct ipc_verdict *verdict) MUST_CHECK;
/* As connection_drop, with the close code and text the other side sent. */
void connection_drop_as(struct connection *connection, enum reason reason, unsigned close_code,
                        const char *text, size_t text_length);
/* Buries the connection if neither side holds it any more. */
void connection_release(struct connection *connection);
/* Frees what is buried; nothing above it on the stack knows it any more. */
void connection_reap(struct worker *worker);
void connection_tick(struct connection *connection, uint64_t now_ms, int64_t now_s);
struct connection *connection_find(struct worker *worker, uint64_t id);

/* secure.c */
/* What TLS needs of the worker, if a surface speaks it; before the sandbox closes. */
enum error secure_allocate(struct worker *worker) MUST_CHECK;
void secure_release(struct worker *worker);
/* Whether the broker has sent everything that surfaces need. */
bool secure_complete(const struct worker *worker);
/* For the connections that come from now on. */
enum error secure_install(struct worker *worker, const struct ipc_tls *tls) MUST_CHECK;
/* Takes over the client's descriptor in any case; *plain_fd is the caller's. */
enum error secure_start(struct connection *connection, int fd, int *plain_fd) MUST_CHECK;
/* The rest of the connection is gone. Whether TLS is as well; else it ends soon. */
bool secure_finish(struct connection *connection);
/* At the deadline of one that ends: whether the client still takes what is left; else it is cut. */
bool secure_waits(struct connection *connection);

/* handshake.c */
enum error handshake_start(struct connection *connection, int fd) MUST_CHECK;
void handshake_deny(struct connection *connection, enum reason reason);
/* Writes what is in `denial` and ends the connection. */
void handshake_answer(struct connection *connection);
void handshake_watch(struct connection *connection, int events);
/* The broker granted the request as HTTP. */
void handshake_granted(struct connection *connection, const struct ipc_verdict *verdict);
/* After an exchange: reads the next request, of which a part may be there. */
void handshake_next(struct connection *connection);
/* Nothing of the request is needed any more but what a denial's form depends on. */
void handshake_forget_request(struct handshake *handshake);
/* The same, and gives the head back. */
void handshake_free_head(struct handshake *handshake);
/* Frees it, closing the descriptor unless libwebsockets took it. */
void handshake_end(struct connection *connection);
/* Stops watching the client's descriptor and hands it out; the caller owns it. */
int handshake_release_fd(struct connection *connection);

/* asked.c */
/* Reads the head into what the broker is asked; its strings end in the head. */
enum reason asked_read(struct connection *connection, struct ipc_admit *admit);
/* NUL-terminates a span in the head, where a delimiter follows every span; NULL if it is absent. */
const char *asked_terminate(struct handshake *handshake, struct span span);

/* own_paths.c */
/*
 * Goes on with a request whose head is complete: to one of the gate's own
 * paths, its body must be there too, at most OWN_PATH_BODY_BYTES_MAX of it.
 */
enum http_progress own_paths_read(struct handshake *handshake, enum reason *reason);
/* The broker's yes to such a request: a page, or what the verdict says. */
void own_paths_answer(struct connection *connection, const struct ipc_verdict *verdict);

/* denial.c */
/* Appends the answer to the request of `connection->handshake`, for programs or for people. */
void denial_write(const struct connection *connection, enum reason reason, struct buffer *out);

/* upgrade.c */
/* The broker's yes: takes over the link's descriptor and waits for the service's 101. */
void upgrade_admitted(struct connection *connection, const struct ipc_verdict *verdict, int fd);
/* More of the service's response head has come. */
void upgrade_response(struct connection *connection, const unsigned char *bytes, size_t length);

/* downstream.c */
enum error downstream_start(struct worker *worker) MUST_CHECK;
/* Closes every client; turns the loop until all its handles have closed. */
void downstream_stop(struct worker *worker);
/* Hands the client's socket to libwebsockets, which answers the 101. */
enum error downstream_adopt(struct connection *connection, int fd) MUST_CHECK;
/* Sends a message; PRE_BYTES before `payload` are overwritten. Not while client_blocked. */
enum error downstream_send(struct connection *connection, enum ws_opcode opcode,
                           unsigned char *payload, size_t length) MUST_CHECK;
void downstream_pause(struct connection *connection, bool pause);
/* Closes with connection->close_code, at once if the client takes no bytes. */
void downstream_close(struct connection *connection);
/* Ends without another word, once no callback of libwebsockets is on the stack. */
void downstream_abort(struct connection *connection);
void downstream_abort_pending(struct worker *worker);

/* link.c */
enum error link_start(struct connection *connection, int fd) MUST_CHECK;
/* Frames, masks and sends, or queues what the socket does not take. */
void link_send(struct connection *connection, enum ws_opcode opcode, const unsigned char *payload,
               size_t length);
void link_send_close(struct connection *connection, unsigned code, const char *text,
                     size_t text_length);
/* Goes on with what was read before the client stopped taking. */
void link_resume(struct connection *connection);
void link_watch(struct connection *connection, int events);
/* Feeds bytes that came after the service's response head. */
void link_receive(struct connection *connection, unsigned char *bytes, size_t length);
void link_close(struct connection *connection);

/* relay.c */
/* What may be said on this connection's route, to this session. */
struct vet_rules relay_rules(const struct connection *connection);
void relay_message(struct connection *connection, enum direction direction, unsigned char *bytes,
                   size_t length, bool binary);
/* Decides who may be read, from who can be written to. */
void relay_flow(struct connection *connection);

/* report.c */
void report_ready(struct worker *worker);
void report_dial(struct connection *connection, const struct ipc_dial *dial);
void report_admit(struct connection *connection, const struct ipc_admit *admit);
/* `query` NULL: there was none, or the request was not understood so far. */
void report_denied(struct connection *connection, enum reason reason, const char *query);
void report_refused(struct connection *connection, enum direction direction,
                    const struct vet_result *result);
void report_closed(struct connection *connection);
void report_counts(struct worker *worker);

#endif
