/*
 * TLS in front of a connection: takes the client's socket, speaks TLS on it, and
 * hands out one end of a socket pair on which the rest of the worker finds
 * what the client said, and writes what it is to be told, in the clear.
 *
 * Bounded: one record waits in each direction, and while it does, the side that
 * it comes from is not read. The end of one side's sending is passed on
 * (close_notify, shutdown(2)) and leaves the other direction open.
 */
#pragma once

#include "base/error.h"
#include "worker/tls/tls_context.h"

#include <uv.h>

#define TLS_CHUNK_BYTES 16384 /* the most that one record carries (RFC 8446 section 5.1) */

enum tls_failure {
    TLS_FAILED = 1,  /* no handshake came about */
    TLS_PLAIN,       /* the client spoke without TLS, and was told so */
    TLS_CERTIFICATE, /* no certificate, or one that nobody vouches for */
};

struct tls;

struct tls_options {
    uv_loop_t *loop;
    struct ssl_ctx_st *context;
    int fd;                 /* the client's, not blocking; taken over in any case */
    unsigned char *scratch; /* TLS_CHUNK_BYTES, shared: nothing stays in it */
    void *owner;
    /* The handshake is done; hex SHA-256 of the client's certificate, or NULL. */
    void (*on_ready)(void *owner, const char *certificate);
    void (*on_failed)(void *owner, enum tls_failure failure);
    /* It is over; the last call, never from within one of the functions below. */
    void (*on_end)(void *owner);
};

/* *plain_fd is the caller's, not blocking. */
enum error tls_start(const struct tls_options *options, struct tls **out, int *plain_fd) MUST_CHECK;
/* The client's own socket; not the caller's. */
int tls_client(const struct tls *tls);
/* The plain end is closed: ends as soon as the client has taken what was written. */
void tls_finish(struct tls *tls);
/* Whether the client has taken anything since this was asked last. */
bool tls_moved(struct tls *tls);
/* Ends without another word. */
void tls_abort(struct tls *tls);
/* The same, and nobody is told any more. */
void tls_abandon(struct tls *tls);
