/*
 * TLS on a client's socket: bytes are read and written as by recv(2) and send(2), straight from
 * and into the caller's buffers. Knows no loop: whoever watches the socket asks what to watch for.
 */
#pragma once

#include "base/error.h"
#include "worker/tls/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#define TLS_RECORD_BYTES 16384 /* the most that one record carries (RFC 8446 section 5.1) */

enum tls_stage {
    TLS_SHAKING = 0,
    TLS_OPEN,
    TLS_FAILED,      /* no handshake came about */
    TLS_PLAIN,       /* the client speaks without TLS; nothing was taken of what it said */
    TLS_CERTIFICATE, /* no certificate, or one that nobody vouches for; it was told */
};

struct tls;

/* On a socket that does not block, which stays the caller's. */
enum error tls_create(struct ssl_ctx_st *context, int fd, struct tls **out) MUST_CHECK;
/* NULL is fine. */
void tls_destroy(struct tls *tls);
/* Goes on with the handshake, when the socket is ready. */
enum tls_stage tls_shake(struct tls *tls);
/* Hex SHA-256 of the certificate that the client showed; false if it showed none. */
bool tls_peer(const struct tls *tls, char out[SHA256_HEX_SIZE]);

/* Once open. 0 at the end of what the client says; -1 with errno, EAGAIN among others. */
ssize_t tls_receive(struct tls *tls, void *out, size_t room);
/* How many bytes were taken; what was not must be the first to be offered again. -1 with errno. */
ssize_t tls_send(struct tls *tls, const struct iovec *parts, size_t count);
/* Tells the client that no more comes, if it takes that now. */
void tls_finish(struct tls *tls);

/* The socket must take bytes before this goes on. */
bool tls_wants_write(const struct tls *tls);
/* What came may hold more than was received: the socket does not tell of it. */
bool tls_has_more(const struct tls *tls);
