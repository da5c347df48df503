/*
 * One connection's bytes: a TCP socket on loopback or a Unix socket, with TLS on it or
 * without. Whose certificate it is nobody asks: only the work is measured.
 */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define STREAM_TIMEOUT_S 10 /* of a read, as long as it blocks */

struct stream_target {
    const char *socket_path; /* a Unix socket; NULL: the port. Borrowed */
    unsigned port;           /* on 127.0.0.1 */
    bool tls;
};

struct stream {
    int fd;   /* owned; -1 when closed */
    SSL *tls; /* owned; NULL: none */
};

/* Connects and shakes hands, blocking; false is said on stderr. */
bool stream_open(struct stream *stream, const struct stream_target *target);
void stream_close(struct stream *stream);

/* From now on nothing blocks. */
bool stream_unblock(struct stream *stream);

/* As read() and write() do: -1 with EAGAIN in errno where it would block. */
ssize_t stream_read(struct stream *stream, void *bytes, size_t most);
ssize_t stream_write(struct stream *stream, const void *bytes, size_t length);

/* Whether there is more to read that the socket's readiness does not tell of. */
bool stream_has_more(const struct stream *stream);
