/*
 * The middle of `sidelock connect`: one thread, one loop. On one side the client's
 * standard input and output, on the other a transport; it remembers which requests
 * have no answer, keeps what waits to be sent, holds out while the gate is away, and
 * ends everything in order.
 */
#pragma once

#include "connect/bridge/pass.h"
#include "connect/bridge/stdio.h"
#include "connect/bridge/stream.h"
#include "connect/message/ledger.h"
#include "connect/message/letter.h"
#include "connect/message/mcp_headers.h"

struct bridge;

/* What the two transports have in common: how they speak to the gate. */
struct transport {
    size_t state_bytes; /* of what transport_state points to, all zero before the start */
    void (*start)(struct bridge *bridge);
    void (*flush)(struct bridge *bridge); /* what waits in the queue may go */
    /* The client has cancelled a request; false: the notification is to be sent as well, as it is
     * where this is NULL. */
    bool (*cancel)(struct bridge *bridge, const struct ledger_entry *entry);
    void (*come_back)(struct bridge *bridge);           /* bridge_go_down() is over: try again */
    void (*replayed)(struct bridge *bridge, bool good); /* the answer to our own initialize */
    size_t (*unsent)(const struct bridge *bridge);      /* bytes of messages that are not through */
    void (*pause)(struct bridge *bridge, bool pause);
    void (*finish)(struct bridge *bridge); /* calls bridge_finished() in time */
    void (*stop)(struct bridge *bridge);   /* frees everything but the state itself */
};

/* connect/websocket.c and connect/http/streamable.c. */
extern const struct transport websocket_transport, streamable_transport;

enum bridge_stage { STAGE_RUNNING = 0, STAGE_FINISHING, STAGE_GOODBYE };

struct bridge {
    uv_loop_t loop;
    const struct transport *transport;
    void *transport_state; /* the transport's own */
    struct pass pass;
    struct stdio stdio;
    struct letters queue; /* from the client, not yet sent */
    struct ledger ledger;
    struct replay replay;
    struct json_scan *scan;
    struct mcp_tools tools;
    struct buffer scratch;
    enum bridge_stage stage;
    bool output_paused, finished;
    bool down, waiting; /* the gate is away; waiting for what the control socket says of it */
    unsigned wants;     /* of the control socket, before the next try */
    struct backoff backoff;
    uv_timer_t retry, finish;
    uv_signal_t sigterm, sigint;
    int code;
};

/*
 * Runs until standard input ends, or a signal; `transports` by enum connect_transport.
 * Returns the exit code, as connect_run().
 */
int bridge_run(const struct connect_control *control, const struct transport *const *transports);

/* ---- For the transports ---- */

static inline uint64_t bridge_now_ms(const struct bridge *bridge)
{
    return uv_now(&bridge->loop);
}
/* Opens a connection to where the surface is. */
enum error bridge_dial(struct bridge *bridge, const struct stream_user *user,
                       struct stream **out) MUST_CHECK;
/* A message from behind the gate; line breaks in it become spaces. Whether it answers the request
 * with this key; "": none is asked about. */
bool bridge_message(struct bridge *bridge, char *bytes, size_t length, const char *key);
/* Answers a request of the client's with an error, unless it has been answered. */
void bridge_fail(struct bridge *bridge, const char *key, int code, const char *message,
                 const char *reason);
/* The gate is not there, or denies the session: asks the control socket, then come_back(). */
void bridge_go_down(struct bridge *bridge, unsigned wants);
/* Something has changed that reading from the client, or the end, may wait for. */
void bridge_settle(struct bridge *bridge);
/* Nothing more can be done: ends with this exit code, failing what is outstanding. */
void bridge_give_up(struct bridge *bridge, int code, const char *reason);
void bridge_finished(struct bridge *bridge);
