/*
 * Listening TCP sockets. `localhost` means both loopback addresses or neither:
 * whoever holds the other one would be handed the tokens of our clients.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define LISTENER_ADDRESS_SIZE 64
#define LISTENER_BACKLOG      1024

struct listener {
    int fd;                              /* non-blocking, close-on-exec; -1 when not open */
    char address[LISTENER_ADDRESS_SIZE]; /* "127.0.0.1", "::1" */
    uint16_t port;                       /* as bound */
};

/*
 * Binds and listens on host:port; port 0 takes any. "localhost" fills two
 * entries of `out` with one port, anything else one. *count is how many. `why`
 * receives one sentence on failure.
 */
enum error listener_open(const char *host, uint16_t port, struct listener out[2], size_t *count,
                         char why[WHY_SIZE]) MUST_CHECK;
void listener_close(struct listener *listener);

/* Fills address and port of a listener whose descriptor was inherited. */
enum error listener_describe(struct listener *listener) MUST_CHECK;
