/*
 * The proof that a port is nobody's on this host: before a service is said to be behind the gate
 * alone, its port is connected to at every address that this host has, from the host's network.
 * Only the addresses at which the gate itself listens are left out: a port has one listener there.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <uv.h>

#define VACANCY_ADDRESSES_MAX 1024
#define VACANCY_PATIENCE_MS   2000 /* an address that says nothing for so long is not reachable */
#define VACANCY_ADDRESS_SIZE  64   /* "[fe80::1%eth0]:65535", with NUL */

struct vacancy;

/*
 * Called once. `found` is "" if nobody answered, else the address at which somebody did, or a
 * reason why it could not be found out.
 */
typedef void vacancy_done(void *data, const char *found);

/* `config` is borrowed for this call. NULL without memory. */
struct vacancy *vacancy_begin(uv_loop_t *loop, const struct config *config, uint16_t port,
                              vacancy_done *done, void *data);
/* `done` is not called any more. Takes NULL. */
void vacancy_cancel(struct vacancy *vacancy);
