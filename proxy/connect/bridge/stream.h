/*
 * One TCP connection to the gate, with or without TLS, on a libuv loop. Bytes in, bytes out; what
 * it held of either is wiped, since request heads carry the token.
 */
#ifndef SIDELOCK_CONNECT_STREAM_H
#define SIDELOCK_CONNECT_STREAM_H

#include "base/error.h"
#include "connect/bridge/client_tls.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct stream;

/* Called from the loop, never from within a call of the user's. After `closed` nothing comes. */
struct stream_user {
    void *context;
    void (*opened)(void *context);
    void (*received)(void *context, char *bytes, size_t length);
    void (*closed)(void *context, bool opened); /* by the other end, or it could not be reached */
    void (*taken)(void *context);               /* some of what was sent has gone; may be NULL */
};

struct stream_target {
    const struct sockaddr_storage *address;
    const struct client_tls_options *tls; /* NULL: plain */
};

enum error stream_open(uv_loop_t *loop, const struct stream_target *target,
                       const struct stream_user *user, struct stream **out) MUST_CHECK;
/* Queues a copy; a failure closes the stream, which is told as usual. Before `opened` too. */
void stream_send(struct stream *stream, const char *bytes, size_t length);
/* Bytes that the other end has not taken. */
size_t stream_unsent(const struct stream *stream);
void stream_pause(struct stream *stream, bool pause);
/* No more calls to the user; what was sent is still written if `flush`. Frees it in time. */
void stream_close(struct stream *stream, bool flush);

/* For the end of the loop: closes the stream that a handle of the loop belongs to. */
void stream_abort(uv_handle_t *handle);

#endif
