/* Connections that are open and idle, for the next request. */
#ifndef SIDELOCK_CONNECT_HTTP_IDLE_H
#define SIDELOCK_CONNECT_HTTP_IDLE_H

#include "connect/bridge/stream.h"

#define IDLE_MAX    32
#define IDLE_FOR_MS 5000 /* one that was idle for longer is not used again */

/* All zero is an empty one. */
struct idle {
    struct idle_place {
        struct stream *stream; /* NULL: a free place */
        uint64_t since_ms;
    } places[IDLE_MAX];
};

/* Takes the connection over: to keep, or to close where there is no room. */
void idle_put(struct idle *idle, struct stream *stream, uint64_t now_ms);
/* One that the gate will not have closed, for its new user; older ones are let go. NULL: none. */
struct stream *idle_take(struct idle *idle, const struct stream_user *user, uint64_t now_ms);
void idle_clear(struct idle *idle);

#endif
