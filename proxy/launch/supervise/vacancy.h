/*
 * The proof that a port is nobody's on this host: before a service is said to be behind the gate
 * alone, its port is connected to at every address that this host has, from the host's network.
 * Only the addresses at which the gate itself listens are left out: a port has one listener there.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "launch/common/address.h"

#include <uv.h>

#define VACANCY_ADDRESSES_MAX 1024
#define VACANCY_PATIENCE_MS   2000 /* an address that says nothing for so long is not reachable */
#define VACANCY_FOUND_SIZE    192
#define VACANCY_ADDRESS_SIZE  64 /* "[fe80::1%eth0]:65535", with NUL */

/* Whether the gate listens at this address on this port, or is about to. */
bool vacancy_is_ours(const struct config *config, const union address *address, uint16_t port);
/* "127.0.0.1:8081", "[::1]:8081" */
void vacancy_print(const union address *address, char out[VACANCY_ADDRESS_SIZE]);

struct vacancy;

/*
 * Called once. OK: nobody answered; ERROR_DENIED: somebody did, at `where` (else NULL); ERROR_IO:
 * it could not be found out.
 */
typedef void vacancy_done(void *data, enum error error, const union address *where);

/* What that means for a service that is to be the gate's alone: a phrase; "": nobody answers. */
void vacancy_describe(enum error error, const union address *where, char out[VACANCY_FOUND_SIZE]);

/* Of a service that listens by itself loopback is left out, where it is to answer; and what may not
 * be connected to is not known to be closed, since others may. */
struct vacancy_subject {
    const struct config *config;
    uint16_t port;
    bool beyond_loopback;
};

/* The subject is borrowed for this call. NULL without memory. */
struct vacancy *vacancy_begin(uv_loop_t *loop, const struct vacancy_subject *subject,
                              vacancy_done *done, void *data);
/* `done` is not called any more. Takes NULL. */
void vacancy_cancel(struct vacancy *vacancy);
