/*
 * What this kernel offers to fences around services: what it lacks is to be called advisory.
 * Whether namespaces may be made is seen by starting a tree: launcher.h says why if not.
 */
#pragma once

#include <stdbool.h>

struct probe {
    bool namespaces_named; /* SO_NETNS_COOKIE (5.14): without it no tree can be started */
    bool signals_wait;     /* WAIT_KILLABLE_RECV (5.19): signals do not interrupt an asked call */
    bool threads_named;    /* PIDFD_THREAD (6.9): a thread's own descriptors can be told apart */
    bool memfds_sealed;    /* MFD_NOEXEC_SEAL (6.3): what seal_memfds of command.h needs */
    int landlock;          /* its ABI (landlock(7)); 0: none */
};

void probe_kernel(struct probe *out);
