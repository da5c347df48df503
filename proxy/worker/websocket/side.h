/*
 * One side of a WebSocket: frames on a descriptor, read by the strict reader of wire/ and
 * written in one go. Client and service differ in who masks, whose faults they are, and who
 * closes TCP first (RFC 6455 section 7.1.1): the gate towards the client, the service towards
 * the gate. What is sent last is a close frame.
 */
#pragma once

#include "base/reason.h"
#include "dialect/dialect.h"
#include "wire/ws_reader.h"
#include "worker/client/endpoint.h"
#include "worker/client/process.h"

struct websocket;

/* What it tells; `from` says whose words they are: DIRECTION_C2S the client's, DIRECTION_S2C the
 * service's. */
struct side_events {
    /* Of the service: bytes of its answer to the handshake, and what came with them. */
    void (*response)(struct websocket *websocket, const unsigned char *bytes, size_t length);
    /* A whole message; a text need not be UTF-8. */
    void (*message)(struct websocket *websocket, enum direction from, const struct ws_whole *whole);
    /* A piece of one that is beyond the limit, if the reader gives those; `last`: its end. */
    void (*piece)(struct websocket *websocket, const struct ws_whole *piece, bool last);
    /* A ping or a pong. */
    void (*beat)(struct websocket *websocket, enum direction from, const struct ws_whole *whole);
    /* A close frame; code 0: it has none. */
    void (*closed)(struct websocket *websocket, enum direction from, unsigned code,
                   struct span text);
    /* It hung up or broke the protocol, or there is no memory for it. */
    void (*fault)(struct websocket *websocket, enum reason reason);
    /* It takes bytes again, or has been read: what is read next? */
    void (*flow)(struct websocket *websocket);
    /* It is gone; its last call. */
    void (*ended)(struct websocket *websocket, enum direction from);
};

/* Embedded by its owner; worker, events, owner and from are set, link.fd is -1 before side_open. */
struct side {
    struct endpoint link; /* first */
    struct worker *worker;
    const struct side_events *events;
    struct websocket *owner;
    struct ws_reader reader;
    uint64_t message_since_ms; /* when a message began whose end has not come; 0: none */
    uint64_t message_clock_ms; /* paid by it (base/pace.h) */
    uint64_t held_since_ms;
    unsigned char *stash; /* read, but not handed out yet; owned */
    size_t stash_length, stash_offset;
    enum direction from; /* whose words it says */
    bool upgraded;       /* frames are spoken */
    bool held;           /* nothing is handed out for now (side_hold) */
    bool close_sent, close_received;
    bool is_finished; /* told that no more comes */
    bool is_lost;     /* after a fault: what comes is thrown away */
    bool is_deaf;     /* it has hung up: it is read to the end, and told nothing */
};

/* Takes over the descriptor, also on failure. */
enum error side_open(struct side *side, int fd, size_t max_message_bytes) MUST_CHECK;
/* Goes on with what another endpoint has, as by endpoint_move(). */
void side_take(struct side *side, struct endpoint *from, size_t max_message_bytes);
/* Whether what it says is left where it is; meanwhile the time of its message stands still. */
void side_hold(struct side *side, bool held);
/* Reads on what it says, once it is not held: as the owner's flow(). */
void side_watch(struct side *side);
/* Is not looked at before that. */
void side_rest(struct side *side);
/* Frames and sends, or queues what the socket does not take. Not after the close frame. */
void side_send(struct side *side, enum ws_opcode opcode, const unsigned char *payload,
               size_t length);
/* The same with a whole message that another side has just told; its memory may be taken over. */
void side_carry(struct side *side, struct side *from, const struct ws_whole *whole);
/* The last frame. */
void side_send_close(struct side *side, unsigned code, struct span text);
/* Feeds bytes that came after the service's response head. */
void side_receive(struct side *side, unsigned char *bytes, size_t length);
/* Of what it says only its close frame counts from here on; what has come of a message is
 * forgotten.
 */
void side_pass_over(struct side *side);
/* At once, without another word. */
void side_close(struct side *side);
/* Frees what it holds of messages; the link is closed. */
void side_clear(struct side *side);

static inline bool side_is_open(const struct side *side)
{
    return side->link.fd >= 0;
}

/* Whether there is something that it has not taken. */
static inline bool side_is_blocked(const struct side *side)
{
    return !outgoing_empty(&side->link.out);
}

static inline size_t side_holds(const struct side *side)
{
    return side->reader.message.capacity + side->stash_length + side->link.out.capacity;
}
