#include "worker/client/slots.h"

#include "config/load.h"
#include "policy/quota.h"
#include "vet/handles.h"

_Static_assert(IPC_SURFACES_MAX == CONFIG_SURFACES_MAX, "a slot for each surface is told");

static enum error fill(struct slot *slot, const struct surface *surface)
{
    slot->surface = surface;
    return handles_create(quota_info(QUOTA_HANDLES)->limit, &slot->handles);
}

enum error slots_begin(struct worker *worker, const uint32_t *slots)
{
    const struct config *config = worker->config;

    for (size_t i = 0; i < config->surface_count; i++) {
        enum error error;

        if (slots[i] >= CONFIG_SLOTS_MAX || worker->slots[slots[i]].surface != NULL)
            return ERROR_SYNTAX;
        error = fill(&worker->slots[slots[i]], &config->surfaces[i]);
        if (error != OK)
            return error;
    }
    return OK;
}

static bool is_twice(const uint64_t *slots, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (slots[i] == slots[index])
            return true;
    }
    return false;
}

enum error slots_add(struct worker *worker, struct config *config,
                     const uint64_t slots[IPC_SURFACES_MAX])
{
    for (size_t i = 0; i < config->surface_count; i++) {
        struct slot *slot;
        enum error error;

        if (slots[i] >= CONFIG_SLOTS_MAX || is_twice(slots, i))
            return ERROR_SYNTAX;
        slot = &worker->slots[slots[i]];
        if (slot->leaving)
            return ERROR_SYNTAX;
        if (slot->surface != NULL)
            continue;
        slot->owned = config_take_surface(config, i);
        if (slot->owned == NULL)
            return ERROR_MEMORY;
        error = fill(slot, slot->owned);
        if (error != OK)
            return error;
    }
    return OK;
}

void slots_free(struct worker *worker, uint32_t slot)
{
    config_free_surface(worker->slots[slot].owned);
    handles_destroy(worker->slots[slot].handles);
    worker->slots[slot] = (struct slot){.surface = NULL};
}

void slots_clear(struct worker *worker)
{
    for (uint32_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        slots_free(worker, i);
}

void slots_forget_session(struct worker *worker, const char *session_id)
{
    for (uint32_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        if (worker->slots[i].handles != NULL)
            handles_forget(worker->slots[i].handles, session_id);
    }
}

size_t slots_connections(const struct worker *worker)
{
    size_t sum = 0;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        if (worker->slots[i].surface != NULL && !worker->slots[i].leaving)
            sum += worker->slots[i].surface->limits.max_connections;
    }
    return sum;
}
