/* What the two sides of a WebSocket tell whoever put them together. */
#pragma once

#include "base/reason.h"
#include "dialect/dialect.h"

struct websocket;

/* `from` says whose words they are: DIRECTION_C2S the client's, DIRECTION_S2C the service's. */
struct side_events {
    /* Of the service: bytes of its answer to the handshake, and what came with them. */
    void (*response)(struct websocket *websocket, const unsigned char *bytes, size_t length);
    /* A whole message; ASSEMBLY_HEADROOM in front of it may be written to. */
    void (*message)(struct websocket *websocket, enum direction from, unsigned char *bytes,
                    size_t length, bool binary);
    /* Of the client: more of a message, which is kept until it is whole. */
    void (*kept)(struct websocket *websocket);
    /* The service's ping, the client's pong. */
    void (*beat)(struct websocket *websocket, enum direction from, const unsigned char *payload,
                 size_t length);
    /* A close frame; code 0: it has none. */
    void (*closed)(struct websocket *websocket, enum direction from, unsigned code,
                   const char *text, size_t length);
    /* It hung up or broke the protocol, or there is no memory for it. */
    void (*fault)(struct websocket *websocket, enum reason reason);
    /* A side takes bytes again, or has been read: what is read next? */
    void (*flow)(struct websocket *websocket);
    /* The side is gone; its last call. */
    void (*ended)(struct websocket *websocket, enum direction from);
};
