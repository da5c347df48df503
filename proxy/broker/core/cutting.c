#include "broker/core/cutting.h"

#include "broker/core/tell.h"

/* A slot of which nothing is left is no longer meant: it may be another's before the last goes. */
static size_t count_left(const struct gate *gate, struct cutting *cutting)
{
    size_t count = 0;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        size_t left = cutting->slots[i]
                          ? connections_of_surface(&gate->connections, &gate->surfaces.items[i])
                          : 0;

        cutting->slots[i] = left > 0;
        count += left;
    }
    return count;
}

static uint32_t holders_of(const struct gate *gate, const struct cutting *cutting)
{
    uint32_t holders = 0;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        if (cutting->slots[i])
            holders |= connections_surface_holders(&gate->connections, &gate->surfaces.items[i]);
    }
    return holders;
}

static void end(struct gate *gate, struct cutting **at)
{
    struct cutting *cutting = *at;

    *at = cutting->next;
    if (gate->cuttings == NULL)
        uv_timer_stop(&gate->cutting_patience);
    cutting->took_ns = uv_hrtime() - cutting->begun_ns;
    cutting->done(cutting);
}

/* One that has none left; NULL: none has. */
static struct cutting **find_done(struct gate *gate)
{
    for (struct cutting **at = &gate->cuttings; *at != NULL; at = &(*at)->next) {
        struct cutting *cutting = *at;
        size_t left = count_left(gate, cutting);

        if (left == 0)
            return at;
        if (left < cutting->left)
            cutting->moved_ms = uv_now(&gate->loop);
        cutting->left = left;
    }
    return NULL;
}

static void cut_exposed(struct gate *gate)
{
    gate->exposed = false;
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_state *surface = &gate->surfaces.items[i];

        if (surface->service.to_cut && surface->config != NULL && !surface->leaving)
            workers_cut_surface(gate->workers, surface, REASON_SERVICE_EXPOSED);
        surface->service.to_cut = false;
    }
}

void cutting_look(struct gate *gate)
{
    struct cutting **at;

    if (gate->exposed)
        cut_exposed(gate);
    /* From the first again: `done` may have begun another. */
    while ((at = find_done(gate)) != NULL)
        end(gate, at);
}

static void on_patience(uv_timer_t *timer)
{
    struct gate *gate = timer->data;

    for (const struct cutting *at = gate->cuttings; at != NULL; at = at->next) {
        if (uv_now(&gate->loop) - at->moved_ms >= CUTTING_PATIENCE_MS)
            workers_end_holders(gate->workers, holders_of(gate, at),
                                "does not let go of what was cut");
    }
}

void cutting_open(struct gate *gate)
{
    uv_timer_init(&gate->loop, &gate->cutting_patience);
    gate->cutting_patience.data = gate;
}

void cutting_begin(struct gate *gate, struct cutting *cutting, enum reason reason)
{
    cutting->begun_ns = uv_hrtime();
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        if (cutting->slots[i] && !gate->surfaces.items[i].leaving)
            workers_cut_surface(gate->workers, &gate->surfaces.items[i], reason);
    }
    cutting->connections = cutting->left = count_left(gate, cutting);
    if (cutting->left == 0) {
        cutting->took_ns = 0;
        cutting->done(cutting);
        return;
    }
    if (gate->cuttings == NULL)
        uv_timer_start(&gate->cutting_patience, on_patience, CUTTING_LOOK_MS, CUTTING_LOOK_MS);
    cutting->moved_ms = uv_now(&gate->loop);
    cutting->next = gate->cuttings;
    gate->cuttings = cutting;
}

bool cutting_waits_for(const struct gate *gate, const struct surface_state *surface)
{
    for (const struct cutting *at = gate->cuttings; at != NULL; at = at->next) {
        if (at->slots[surfaces_index(&gate->surfaces, surface)])
            return true;
    }
    return false;
}

void cutting_stop(struct gate *gate)
{
    while (gate->cuttings != NULL)
        end(gate, &gate->cuttings);
}
