/*
 * Whether what a service listens on is still nowhere but behind the gate: the listeners of this
 * host's own network, as the kernel has them (sock_diag(7)), are attributed by their inodes to the
 * processes of its tree, and none may have its port. Costs a look at each descriptor of the tree.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

#include <sys/types.h>

#define LEAKS_FOUND_SIZE    160
#define LEAKS_LISTENERS_MAX 4096   /* of this host */
#define LEAKS_PROCESSES_MAX 32768  /* of this host */
#define LEAKS_LINKS_MAX     200000 /* descriptors of a tree that are looked at */

/* What is looked for. */
struct leaks_subject {
    const struct config *config; /* whose own listeners are left out */
    pid_t first;                 /* of the tree, in our PID namespace */
    uint16_t port;               /* that is served; 0: none */
};

/*
 * `found` is "" if there is none, else who listens where. ERROR_LIMIT: there is more than is looked
 * at; ERROR_DENIED: a process of the tree cannot be looked into; ERROR_IO: the kernel does not
 * answer. Then only the port was looked for, as far as that was possible.
 */
enum error leaks_look(const struct leaks_subject *subject, char found[LEAKS_FOUND_SIZE]) MUST_CHECK;
