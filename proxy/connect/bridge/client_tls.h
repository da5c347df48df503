/*
 * TLS towards the gate, without I/O: bytes in, bytes out. The gate proves itself by
 * the very certificate that the control socket names (its SHA-256), so neither an
 * authority nor a name has to be trusted; TLS 1.2 and 1.3.
 */
#ifndef SIDELOCK_CONNECT_CLIENT_TLS_H
#define SIDELOCK_CONNECT_CLIENT_TLS_H

#include "base/error.h"

#include <stddef.h>
#include <sys/types.h>

struct client_tls;

struct client_tls_options {
    const char *pin;         /* hex SHA-256 of the gate's certificate */
    const char *name;        /* for SNI; NULL: none */
    const char *certificate; /* PEM files of our own; NULL: none */
    const char *key;
};

enum client_tls_progress {
    CLIENT_TLS_FAULT = 0, /* not the gate, or no TLS */
    CLIENT_TLS_MORE,
    CLIENT_TLS_DONE,
};

/* ERROR_CRYPTO if our own certificate and key cannot be used. */
enum error client_tls_create(const struct client_tls_options *options,
                             struct client_tls **out) MUST_CHECK;
void client_tls_destroy(struct client_tls *tls);

/* Takes what came from the gate. */
enum error client_tls_receive(struct client_tls *tls, const char *bytes, size_t length) MUST_CHECK;
/* Goes on with the handshake. */
enum client_tls_progress client_tls_handshake(struct client_tls *tls);
/* Plain bytes that have come: how many, 0: none so far, -1: no more. */
ssize_t client_tls_read(struct client_tls *tls, char *out, size_t size);
enum error client_tls_write(struct client_tls *tls, const char *bytes, size_t length) MUST_CHECK;
/* What is to be sent to the gate; 0: nothing. */
size_t client_tls_take(struct client_tls *tls, char *out, size_t size);

#endif
