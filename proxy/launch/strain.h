/*
 * What a tree wanted beyond the limits of its control group (keeper/tree_group.h), by the kernel's
 * own counts there: that it was refused a process is seen while it runs, that it was ended for want
 * of memory when it has ended.
 */
#pragma once

#include "launch/calls/state.h"

#include <stdbool.h>
#include <uv.h>

/* Called at most once for each limit. */
typedef void strain_seen(void *data, enum refusal_limit limit);

struct strain {
    uv_poll_t poll; /* of pids.events */
    int group;      /* the directory; -1: there is none */
    int processes;  /* pids.events, while it is watched; -1 */
    bool told[LIMIT_COUNT];
    strain_seen *seen;
    void *data;
};

void strain_init(struct strain *strain, void *data, strain_seen *seen);
/* Takes over the directory; -1: there is none. How many handles were opened: their `data` is that
 * of the strain. */
unsigned strain_begin(struct strain *strain, uv_loop_t *loop, int group);
/* Looks once more, perhaps calls `seen`, and closes all; `closed` for each handle. False: there was
 * no group. */
bool strain_end(struct strain *strain, uv_close_cb closed);

/* ---- The kernel's words (cgroups(7)), as of memory.events and pids.events ---- */

bool strain_memory(const char *events);
bool strain_processes(const char *events);
