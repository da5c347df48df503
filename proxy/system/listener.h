/*
 * Listening TCP sockets. `localhost` means both loopback addresses or neither:
 * whoever holds the other one would be handed the tokens of our clients. Only where this host has
 * no ::1 at all is 127.0.0.1 enough, until it has one.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define LISTENER_ADDRESS_SIZE 64
#define LISTENER_BACKLOG      1024
#define LISTENER_BOTH         "localhost"
#define LISTENER_V4           "127.0.0.1"
#define LISTENER_V6           "::1"

struct listener {
    int fd;                              /* non-blocking, close-on-exec; -1 when not open */
    char address[LISTENER_ADDRESS_SIZE]; /* "127.0.0.1", "::1" */
    uint16_t port;                       /* as bound */
};

/*
 * Binds and listens on host:port; port 0 takes any. "localhost" fills two
 * entries of `out` with one port (one, where there is no ::1), anything else one. *count is how
 * many. `why` receives one sentence on failure, which says who holds the port, if the kernel tells.
 */
enum error listener_open(const char *host, uint16_t port, struct listener out[2], size_t *count,
                         char why[WHY_SIZE]) MUST_CHECK;
/* ::1 for the one that was missing. ERROR_NOT_FOUND: this host still has none. */
enum error listener_open_missing(uint16_t port, struct listener *out,
                                 char why[WHY_SIZE]) MUST_CHECK;
void listener_close(struct listener *listener);

/* Fills address and port of a listener whose descriptor was inherited. */
enum error listener_describe(struct listener *listener) MUST_CHECK;
