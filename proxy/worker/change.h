/*
 * What a reload changes in a worker that runs: surfaces come, into slots of their own, and others
 * go, which is told to those who are connected to them. Nobody else notices.
 */
#pragma once

#include "worker/client/accept.h"
#include "worker/http/pool.h"
#include "worker/mcp/mcp.h"

/* The rooms that have something by surface; borrowed. */
struct change {
    struct worker *worker;
    struct accept *accept;
    struct pool *pool;
    struct mcp_shared *mcp;
    /* Loads the sealed configuration. */
    enum error (*read)(int fd, uint32_t self_uid, struct config **out);
    uint32_t self_uid;
    bool in_force[CONFIG_SLOTS_MAX]; /* by what CONFIG said last; in force with SWITCH */
    bool leaving;                    /* some slot is not vacated yet */
};

/* CONFIG: surfaces that are new have their slots. Nothing of the others changes yet. */
enum error change_begin(struct change *change, int fd, const struct ipc_config *config) MUST_CHECK;
/*
 * SWITCH: nobody is let in any more to surfaces that are not in force, and whoever was granted
 * something there is marked to be cut, with REASON_SURFACE_CHANGED.
 */
void change_switch(struct change *change);
/* Slots that nobody has anything to do with any more are vacated, and the broker is told. */
void change_vacate(struct change *change);
