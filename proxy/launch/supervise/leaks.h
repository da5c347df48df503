/*
 * Whether what a service listens on is still nowhere but behind the gate: the listeners of this
 * host's own network, as the kernel has them (sock_diag(7)), are attributed by their inodes to the
 * processes of its tree, and none may have its port. Costs a look at each descriptor of the tree.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "ipc/errand.h"

#include <sys/types.h>

#define LEAKS_FOUND_SIZE    160
#define LEAKS_LISTENERS_MAX 4096   /* of this host */
#define LEAKS_PROCESSES_MAX 32768  /* of this host */
#define LEAKS_LINKS_MAX     200000 /* descriptors that are looked at */
#define LEAKS_KNOWN_MAX     1024
#define LEAKS_TRIES         3 /* one that is handed on may be nobody's for a moment */

/* Listeners of this host that were there before a tree: none of its. */
struct leaks_known {
    size_t count;
    uint32_t inodes[LEAKS_KNOWN_MAX];
};

/* What is looked for. */
struct leaks_subject {
    const struct config *config; /* whose own listeners are left out */
    pid_t first;                 /* of the tree, in our PID namespace */
    uint16_t port;               /* that is served; 0: none */
    uint32_t uid;                /* as whom the tree runs */
    const struct leaks_known *known;
};

/* Those that are there now. */
void leaks_know(struct leaks_known *out);

/*
 * A listener of the tree's user that came after it and is nobody's, where all processes can be
 * looked into, is found as well: whose it is, is hidden. `sight` says how far was seen.
 *
 * `found` is "" if there is none, else who listens where. ERROR_LIMIT: there is more than is looked
 * at; ERROR_DENIED: a process of the tree cannot be looked into; ERROR_IO: the kernel does not
 * answer. Then only the port was looked for, as far as that was possible.
 */
enum error leaks_look(const struct leaks_subject *subject, char found[LEAKS_FOUND_SIZE],
                      enum service_sight *sight) MUST_CHECK;
