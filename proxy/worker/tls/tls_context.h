/*
 * How a surface speaks TLS: its certificate and key and the rules of the
 * handshake. TLS 1.2 and 1.3 (RFC 8446) with forward secrecy and AEAD ciphers
 * alone (RFC 9325 section 4.2); no renegotiation, compression, tickets or
 * session cache; ALPN http/1.1 (RFC 7301).
 */
#pragma once

#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>

struct ssl_ctx_st; /* OpenSSL's; of a surface */
struct ssl_st;     /* OpenSSL's; of a connection */

/* PEM texts, borrowed. */
struct tls_context_options {
    const char *certificate; /* and the rest of its chain */
    const char *key;
    const char *client_ca; /* NULL: clients are asked for no certificate */
    bool client_required;  /* a client without one is refused */
};

/* Lets OpenSSL initialise what it initialises once: before the sandbox closes. */
enum error tls_context_prepare(void) MUST_CHECK;
/* ERROR_CRYPTO if the texts do not fit each other. */
enum error tls_context_create(const struct tls_context_options *options,
                              struct ssl_ctx_st **out) MUST_CHECK;
/* Sessions that began with it go on. */
void tls_context_destroy(struct ssl_ctx_st *context);
/* A new session of the server's role, for SSL_free; NULL without memory. */
struct ssl_st *tls_context_session(struct ssl_ctx_st *context);
/* Hex SHA-256 of the certificate that the other side showed; false if it showed none. */
bool tls_context_peer(const struct ssl_st *session, char out[SHA256_HEX_SIZE]);
/* Whether the handshake that has just failed failed for want of a good client certificate. */
bool tls_context_blames_certificate(void);
