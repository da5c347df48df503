/*
 * The state of `sidelock connect`: one thread, one loop. Shared by the files of
 * this folder and by nobody else.
 *
 *   connect.c      starts and ends; messages from the client, messages to it
 *   stdio.c        standard input and output
 *   pass.c         the session: made, renewed, given back, on a thread of its own
 *   websocket.c    a WebSocket surface
 *   streamable.c   an MCP over HTTP surface: which message goes when, and sessions
 *   transfer.c     one HTTP request and its answer
 *   links.c         the connections that carry them
 *   stream.c       TCP, and TLS by client_tls.c
 *   lines, rpc, ledger, backoff, mcp_headers   without I/O
 */
#ifndef SIDELOCK_CONNECT_STATE_H
#define SIDELOCK_CONNECT_STATE_H

#include "base/buffer.h"
#include "connect/bridge/stream.h"
#include "connect/connect.h"
#include "connect/message/backoff.h"
#include "connect/message/ledger.h"
#include "connect/message/lines.h"
#include "connect/message/mcp_headers.h"
#include "connect/message/rpc.h"

#include <uv.h>

#define FINISH_MS       10000   /* for answers that are still due when the input has ended */
#define FINISH_QUICK_MS 1000    /* the same after a signal */
#define GOODBYE_MS      2000    /* for closing the session behind, and the output to be taken */
#define HOLD_MS         30000   /* how long a message waits for the gate to come back */
#define TRIES_MAX       4       /* of one message that the gate sent back unprocessed */
#define OUTPUT_PAUSE    4194304 /* more bytes than this not taken by the client: read no more */
#define INPUT_PAUSE     8388608 /* more bytes than this not taken by the gate: read no more */
#define REPLAY_ID_MIN   (UINT64_C(1) << 51) /* twice that is a safe integer */
#define REPLAY_ID_SIZE  32

struct connect;

/* One message from the client on its way. */
struct letter {
    struct letter *next;
    char *bytes; /* owned; one line */
    size_t length;
    enum rpc_kind kind;
    char key[RPC_ID_KEY_SIZE]; /* of a request; "": none */
    bool modern, initialize, initialized;
    bool replay;   /* ours: the client does not see the answer */
    char *headers; /* of the modern era; owned; NULL: none */
    uint64_t since_ms;
    unsigned tries;
};

struct letters {
    struct letter *first, **last;
    size_t bytes;
};

/* What the two transports have in common. */
struct transport {
    enum error (*start)(struct connect *connect);
    void (*deliver)(struct connect *connect, struct letter *letter); /* takes it over */
    /* The client has cancelled a request; false: the notification is to be sent as well. */
    bool (*cancel)(struct connect *connect, const struct ledger_entry *entry);
    /* A new pass or place has come; or not yet, and it will be asked for again. */
    void (*refreshed)(struct connect *connect, bool good);
    void (*replayed)(struct connect *connect, bool good); /* the answer to our own initialize */
    void (*initialized)(struct connect *connect); /* the answer to the client's has been read */
    bool (*idle)(const struct connect *connect);  /* nothing is waiting to be sent */
    void (*pause)(struct connect *connect, bool pause);
    void (*finish)(struct connect *connect); /* calls connect_finished() in time */
    void (*stop)(struct connect *connect);   /* frees everything */
};

extern const struct transport websocket_transport, streamable_transport;

enum connect_stage { STAGE_RUNNING = 0, STAGE_FINISHING, STAGE_GOODBYE };

/* What is wanted of the control socket. */
enum { WANT_PLACE = 1, WANT_RENEWAL = 2, WANT_CREATION = 4 };

/* pass.c */
struct errand {
    uv_work_t work;
    const struct connect_control *control;
    unsigned wants;
    enum connect_answer answer;
    struct connect_pass pass;
    struct connect_place place;
};

/* stdio.c: one end of it. */
struct pipe_end {
    uv_poll_t poll;
    uv_idle_t idle; /* for a file, which cannot be polled */
    int fd, flags;  /* flags: what it had before */
    bool polled, started, watching;
};

struct stdio {
    struct pipe_end in, out;
    struct lines lines;
    struct buffer output; /* not taken by the client, from output_sent on */
    size_t output_sent;
    bool ended, broken, wanted;
};

struct connect {
    uv_loop_t loop;
    const struct connect_control *control;
    const struct transport *transport;
    void *transport_state; /* the transport's own */
    struct connect_pass pass;
    struct connect_place place;
    struct errand errand;
    bool errand_out;
    unsigned errand_next; /* what is wanted when it is back */
    uv_timer_t renewal, finish;
    uv_signal_t sigterm, sigint;
    struct backoff renewal_backoff;
    struct stdio stdio;
    struct json_scan *scan;
    struct text_list descend;
    struct mcp_tools *tools;
    struct ledger ledger;
    struct buffer scratch;
    char *initialize, *initialized; /* the client's own, for another connection; owned */
    char replay_id[REPLAY_ID_SIZE]; /* as JSON */
    char replay_key[RPC_ID_KEY_SIZE];
    char version[RPC_VERSION_BYTES_MAX + 1]; /* negotiated by initialize; "": not yet, or modern */
    enum connect_stage stage;
    bool output_paused, finished;
    int code;
};

/* connect.c */
/* A line of the client's. */
void connect_line(struct connect *connect, struct span line);
void connect_line_too_long(struct connect *connect);
/* The client has said all it had to say. */
void connect_end(struct connect *connect, bool at_once);
/* A message from behind the gate; line breaks in it become spaces. The key of what it answers,
 * or "", goes to `answered` if that is not NULL. */
void connect_message(struct connect *connect, char *bytes, size_t length,
                     char answered[RPC_ID_KEY_SIZE]);
/* Answers a request of the client's with an error, unless it has been answered. */
void connect_fail(struct connect *connect, const char *key, int code, const char *message,
                  const char *reason);
void connect_fail_all(struct connect *connect, int code, const char *message, const char *reason);
/* Nothing more can be done: ends with this exit code, failing what is outstanding. */
void connect_give_up(struct connect *connect, int code, const char *reason);
/* Looks whether what the end waits for has come. */
void connect_settle(struct connect *connect);
void connect_finished(struct connect *connect);
void connect_pause_output(struct connect *connect, bool pause);
static inline uint64_t connect_now_ms(const struct connect *connect)
{
    return uv_now(&connect->loop);
}
uint32_t connect_random(void);
/* Opens a connection to where the surface is. */
enum error connect_dial(struct connect *connect, const struct stream_user *user,
                        struct stream **out) MUST_CHECK;

/* letter.c */
/* A letter with a copy of the text; NULL without memory. */
struct letter *letter_create(struct span text, const struct rpc *rpc);
void letter_destroy(struct letter *letter);
void letters_init(struct letters *letters);
void letters_append(struct letters *letters, struct letter *letter);
void letters_prepend(struct letters *letters, struct letter *letter);
struct letter *letters_take(struct letters *letters); /* the first, or NULL */
void letters_clear(struct letters *letters);
/* Fails and frees those that have waited for longer than HOLD_MS. */
void letters_expire(struct connect *connect, struct letters *letters);
/* The client's initialize under our own id, or its `initialized`; NULL if there was none. */
struct letter *letter_replay_initialize(struct connect *connect);
struct letter *letter_replay_initialized(struct connect *connect);

/* stdio.c */
enum error stdio_start(struct connect *connect) MUST_CHECK;
void stdio_write(struct connect *connect, struct span line);
void stdio_pause_input(struct connect *connect, bool pause);
/* Writes what the output takes at the end, waiting for at most `wait_ms`; restores the modes. */
void stdio_stop(struct connect *connect, int wait_ms);

/* pass.c */
enum connect_answer pass_start(struct connect *connect);
/* Asks for it soon; the transport's refreshed() follows. */
void pass_want(struct connect *connect, unsigned wants);
/* What to ask for when the gate denies the pass for this reason; 0: nothing can help. */
unsigned pass_remedy(struct span reason);
void pass_stop(struct connect *connect);

#endif
