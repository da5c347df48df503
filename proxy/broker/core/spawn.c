#include "broker/core/spawn.h"

#include "broker/core/parent.h"

#include <fcntl.h>
#include <stdio.h>

static bool has_state(const struct surface *surface)
{
    for (size_t i = 0; i < surface->route_count; i++) {
        if (surface->routes[i].kind == ROUTE_MCP_HTTP)
            return true;
    }
    return false;
}

bool spawn_would_serve(const struct surface *surface, unsigned workers, unsigned worker,
                       uint32_t slot)
{
    return !(has_state(surface) || surface->limits.rated) || slot % workers == worker;
}

bool spawn_serves(const struct surfaces *surfaces, unsigned worker, uint32_t slot)
{
    return spawn_would_serve(surfaces->items[slot].config, surfaces->config->workers, worker, slot);
}

/* Also of one that leaves: what it keeps goes with it. */
bool spawn_keeps_state(const struct surfaces *surfaces, unsigned worker)
{
    for (size_t i = 0; i < surfaces->count; i++) {
        if (has_state(surfaces->live[i]->config) &&
            spawn_serves(surfaces, worker, surfaces_index(surfaces, surfaces->live[i])))
            return true;
    }
    return false;
}

static enum error give(struct parent *parent, enum errand_gift gift, uint32_t slot, int fd)
{
    const struct errand errand = {.kind = ERRAND_GIVE, .number = gift, .place = slot};
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy >= 0 ? parent_say(parent, &errand, copy) : ERROR_IO;
}

static enum error give_listeners(struct parent *parent, const struct surfaces *surfaces,
                                 unsigned worker)
{
    enum error error = OK;

    for (size_t i = 0; i < surfaces->count; i++) {
        const struct surface_state *surface = surfaces->live[i];
        uint32_t slot = surfaces_index(surfaces, surface);

        if (!spawn_serves(surfaces, worker, slot))
            continue;
        for (size_t j = 0; error == OK && j < surface->listener_count; j++)
            error = give(parent, ERRAND_GIFT_LISTENER, slot, surface->listeners[j].fd);
    }
    return error;
}

/* With the slots of all surfaces, in the order of the configuration: "0,2,1". */
static enum error say_spawn(struct parent *parent, const struct surfaces *surfaces, unsigned worker)
{
    char slots[ERRAND_SLOTS_SIZE] = "";
    const struct errand errand = {.kind = ERRAND_SPAWN,
                                  .place = worker,
                                  .number = (uint32_t)surfaces->connections_max,
                                  .text = slots};
    size_t length = 0;

    for (size_t i = 0; i < surfaces->count && length < sizeof(slots); i++)
        length += (size_t)snprintf(slots + length, sizeof(slots) - length, "%s%u", i > 0 ? "," : "",
                                   surfaces_index(surfaces, surfaces->live[i]));
    return parent_say(parent, &errand, -1);
}

enum error spawn_worker(struct parent *parent, const struct surfaces *surfaces, unsigned worker,
                        const struct spawn_descriptors *given)
{
    enum error error = give(parent, ERRAND_GIFT_CHANNEL, 0, given->channel);

    if (error == OK)
        error = give(parent, ERRAND_GIFT_CONFIG, 0, given->config);
    if (error == OK)
        error = give(parent, ERRAND_GIFT_ERRORS, 0, given->errors);
    if (error == OK)
        error = give_listeners(parent, surfaces, worker);
    for (size_t i = 0; error == OK && i < given->telemetry_count; i++)
        error = give(parent, ERRAND_GIFT_LISTENER, CONFIG_SLOT_TELEMETRY, given->telemetry[i]);
    return error == OK ? say_spawn(parent, surfaces, worker) : error;
}
