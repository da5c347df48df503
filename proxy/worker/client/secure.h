/* TLS of a worker: which certificate a surface has, and what a connection is told of its own. */
#pragma once

#include "worker/client/connection.h"

struct tls_context;

/* All zero while no surface speaks TLS. */
struct secure {
    struct tls_context **contexts; /* one a surface; owned; NULL: none speaks TLS */
    unsigned char *scratch;        /* TLS_CHUNK_BYTES */
};

/* What TLS needs, if a surface speaks it; before the sandbox closes. */
enum error secure_allocate(struct secure *secure, const struct config *config) MUST_CHECK;
void secure_release(struct secure *secure, const struct config *config);
/* Whether the broker has sent everything that surfaces need. */
bool secure_complete(const struct secure *secure, const struct config *config);
/* For the connections that come from now on. */
enum error secure_install(struct secure *secure, const struct config *config,
                          const struct ipc_tls *tls) MUST_CHECK;
/* Takes over the client's descriptor in any case; *plain_fd is the caller's. */
enum error secure_start(const struct secure *secure, struct connection *connection, int fd,
                        int *plain_fd) MUST_CHECK;
