#include "worker/change.h"

#include "base/log.h"
#include "config/load.h"
#include "worker/client/cut.h"
#include "worker/client/reports.h"
#include "worker/client/slots.h"
#include "worker/counts.h"

#include <string.h>

enum error change_begin(struct change *change, int fd, const struct ipc_config *config)
{
    struct config *fresh = NULL;
    enum error error = change->read(fd, change->self_uid, &fresh);

    if (error == OK)
        error = slots_add(change->worker, fresh, config->slots);
    memset(change->in_force, 0, sizeof(change->in_force));
    for (size_t i = 0; error == OK && i < fresh->surface_count; i++)
        change->in_force[config->slots[i]] = true;
    if (error != OK)
        log_error("the new configuration cannot be used: %s", error_text(error));
    config_destroy(fresh);
    return error;
}

/* Who was granted nothing yet goes on to ask, and hears from the broker that it is over. */
static void leave(struct change *change, uint32_t slot)
{
    change->worker->slots[slot].leaving = true;
    change->leaving = true;
    accept_leave(change->accept, slot);
    cut_surface(change->worker, slot, REASON_SURFACE_CHANGED);
    mcp_sessions_end_surface(&change->mcp->sessions, slot);
}

void change_switch(struct change *change)
{
    for (uint32_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        const struct slot *slot = &change->worker->slots[i];

        if (slot->surface != NULL && !slot->leaving && !change->in_force[i])
            leave(change, i);
    }
}

/* Whether nothing is left of it, the broker having been told all there was to tell. */
static bool vacate(struct change *change, uint32_t slot)
{
    struct worker *worker = change->worker;
    const struct ipc_vacated vacated = {.surface = slot};

    if (worker->slots[slot].connections > 0)
        return false;
    /* Those which a connection opened that was still to be cut. */
    mcp_sessions_end_surface(&change->mcp->sessions, slot);
    if (!reports_vacate(worker, slot) || !counts_tell(worker, slot))
        return false;
    pool_vacate(change->pool, slot);
    mcp_endpoints_vacate(&change->mcp->endpoints, slot);
    accept_vacate(change->accept, slot);
    allowances_vacate(worker->allowances, slot);
    slots_free(worker, slot);
    return worker_tell(worker, IPC_VACATED, &vacated);
}

void change_vacate(struct change *change)
{
    bool left = false;

    for (uint32_t i = 0; change->leaving && i < CONFIG_SLOTS_MAX; i++)
        left = (change->worker->slots[i].leaving && !vacate(change, i)) || left;
    change->leaving = left;
}
