/*
 * One TCP connection to the gate, with or without TLS, on a libuv loop. Bytes in, bytes out; what
 * it held of either is wiped, since request heads carry the token. With TLS (1.2 and 1.3) the gate
 * proves itself by the very certificate that the control socket names (its SHA-256), so neither an
 * authority nor a name has to be trusted.
 */
#pragma once

#include "connect/bridge/control.h"

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

/* Begins to connect. ERROR_CRYPTO: the certificate and key of our own cannot be used. */
enum error stream_open(uv_loop_t *loop, const struct connect_place *place,
                       const struct stream_user *user, struct stream **out) MUST_CHECK;
/* From now on it is somebody else's. */
void stream_hand_over(struct stream *stream, const struct stream_user *user);
/* Queues a copy; a failure closes the stream, which is told as usual. */
void stream_send(struct stream *stream, const char *bytes, size_t length);
/* Bytes that the other end has not taken. */
size_t stream_unsent(const struct stream *stream);
void stream_pause(struct stream *stream, bool pause);
/* No more calls to the user; with `flush` what can be written at once is. Frees it in time. */
void stream_close(struct stream *stream, bool flush);
