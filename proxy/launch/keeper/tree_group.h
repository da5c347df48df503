/*
 * The control group of one tree (system/cgroup.h): what its processes may use is limited in it, and
 * a group below it is where they are, so that whoever of them could make control groups of his own
 * sees that one as the first of all, and none of its limits.
 *
 *     BASE/tree-PID-NUMBER           the limits; the spawner's PID, the number of the tree
 *     BASE/tree-PID-NUMBER/service   the service's first process, moved there by itself, and with
 *                                    it all that descends from it
 *
 * The keeper stays with the gate: it goes on when its tree has used up what it may.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>

struct tree_group {
    int directory; /* of the limits; -1: there is none */
    int way_in;    /* what "0" is written to (cgroup.procs); -1 */
    uint32_t held; /* which of FENCE(MEMORY) and FENCE(PROCESSES), read back */
};

/* Opens BASE, and removes what other spawners left there. -1: there is none. */
int tree_group_open_base(void);

struct tree_group_wish {
    uint32_t number, memory_mib, processes; /* 0: as much as there is */
};

/* Both descriptors are closed on exec. One that cannot be made is none, and holds nothing. */
void tree_group_make(int base, const struct tree_group_wish *wish, struct tree_group *out);
/* In the first process: from now on it counts there. */
enum error tree_group_enter(int way_in) MUST_CHECK;
/* Nothing of the tree is left. */
void tree_group_remove(int base, uint32_t number);
