#include "broker/core/switching.h"

#include "broker/core/journal.h"
#include "broker/core/opener.h"
#include "broker/core/services.h"
#include "broker/core/slots.h"
#include "broker/core/spawn.h"
#include "broker/core/tell.h"
#include "broker/core/worker_process.h"
#include "config/load.h"
#include "system/lockdown.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * How long a worker may hold what has left, beside the time that its service has: a client that
 * was granted nothing sends its head, asks and lingers for less.
 */
#define VACATE_PATIENCE_MS 60000

/* ---- Slots that become free ---- */

/* What was counted is its successor's, if there is one of its name. */
static void hand_over_counts(struct gate *gate, struct surface_state *from,
                             struct surface_state *to)
{
    struct quota_counts *felt = quotas_counts(gate->quotas, surfaces_index(&gate->surfaces, from));

    if (to != NULL) {
        to->admitted += from->admitted;
        to->denied += from->denied;
        to->messages_forwarded += from->messages_forwarded;
        to->messages_refused += from->messages_refused;
        quota_count(quotas_counts(gate->quotas, surfaces_index(&gate->surfaces, to)), felt);
    }
    from->admitted = from->denied = from->messages_forwarded = from->messages_refused = 0;
    *felt = (struct quota_counts){0};
}

static bool is_in_use(const struct gate *gate, const struct surface_state *surface)
{
    struct quota_holder holder = quota_surface(surfaces_index(&gate->surfaces, surface));

    return surface->awaited != 0 || surface->service.asked ||
           connections_of_surface(&gate->connections, surface) > 0 ||
           quota_held(gate->quotas, QUOTA_SURFACE_QUESTIONS, holder) > 0 ||
           quota_held(gate->quotas, QUOTA_SURFACE_LINKS, holder) > 0;
}

static void release(struct gate *gate, struct surface_state *surface)
{
    if (!surface->leaving || is_in_use(gate, surface))
        return;
    hand_over_counts(gate, surface, surfaces_find(&gate->surfaces, surface->config->name));
    surfaces_unmake(surface);
}

static void release_all(struct gate *gate)
{
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        release(gate, &gate->surfaces.items[i]);
}

/* ---- Workers that do not follow ---- */

static void put_down(struct gate *gate, uint32_t places, const char *why)
{
    for (unsigned i = 0; i < gate->workers->count; i++) {
        struct worker_process *process = &gate->workers->processes[i];

        if ((places >> i & 1) != 0 && !process->put_down)
            worker_put_down(process, why);
    }
}

/* None of ours takes so long. */
static void end_holders(struct gate *gate)
{
    uint64_t now_ms = uv_now(&gate->loop);

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        const struct surface_state *surface = &gate->surfaces.items[i];

        if (surface->leaving &&
            now_ms - surface->left_at_ms >
                VACATE_PATIENCE_MS + (uint64_t)surface->config->limits.upstream_timeout_ms)
            put_down(gate, surface->awaited, "does not let go of what was");
    }
}

void switching_lose_patience(struct gate *gate)
{
    put_down(gate, gate->switching.awaited, "does not take up what is new");
}

/* ---- Before ---- */

static enum error assign(const struct surfaces *surfaces, struct fresh *fresh)
{
    const struct config *config = fresh->bundle.config;
    bool taken[CONFIG_SLOTS_MAX];

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        taken[i] = surfaces->items[i].config != NULL;
    for (size_t i = 0; i < config->surface_count; i++)
        fresh->slots[i] =
            fresh->made[i].config != NULL
                ? SLOTS_NONE
                : surfaces_index(surfaces, surfaces_find(surfaces, config->surfaces[i].name));
    return slots_assign(taken, fresh->slots, config->surface_count);
}

/* A surface that was there is killed or armed as it was; another, as the store has it. */
static enum error take_over(struct gate *gate, struct fresh *fresh, size_t index)
{
    struct surface_state *made = &fresh->made[index];
    const struct surface_state *before = surfaces_find(&gate->surfaces, made->config->name);
    struct surface *taken;
    enum error error = OK;

    if (before == NULL)
        error = store_surface_killed(gate->store, made->config->name, &made->killed);
    if (error != OK)
        return error;
    taken = config_take_surface(fresh->bundle.config, index);
    if (taken == NULL)
        return ERROR_MEMORY;
    made->config = taken;
    made->owned = true;
    return OK;
}

static bool serves(const struct gate *gate, const struct fresh *fresh, unsigned worker,
                   size_t index)
{
    return spawn_would_serve(fresh->made[index].config, gate->surfaces.config->workers, worker,
                             fresh->slots[index]);
}

static bool add_descriptor(struct fresh *fresh, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy >= 0)
        fresh->descriptors[fresh->descriptor_count++] = copy;
    return copy >= 0;
}

/* In the order in which tell() takes them. */
static bool copy_for(const struct gate *gate, struct fresh *fresh, unsigned worker)
{
    bool copied = add_descriptor(fresh, fresh->bundle.sealed);

    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++) {
        const struct surface_state *made = &fresh->made[i];

        for (size_t j = 0;
             made->config != NULL && serves(gate, fresh, worker, i) && j < made->listener_count;
             j++)
            copied = copied && add_descriptor(fresh, made->listeners[j].fd);
    }
    return copied;
}

enum error switching_prepare(struct gate *gate, struct fresh *fresh)
{
    size_t most = 1;
    enum error error;

    release_all(gate);
    error = assign(&gate->surfaces, fresh);
    if (error == ERROR_LIMIT)
        end_holders(gate);
    for (size_t i = 0; error == OK && i < CONFIG_SURFACES_MAX; i++) {
        if (fresh->made[i].config == NULL)
            continue;
        error = take_over(gate, fresh, i);
        most += fresh->made[i].listener_count;
    }
    if (error != OK)
        return error;
    fresh->descriptors = calloc(most * gate->workers->count, sizeof(*fresh->descriptors));
    if (fresh->descriptors == NULL)
        return ERROR_MEMORY;
    for (unsigned i = 0; i < gate->workers->count; i++) {
        if (gate->workers->processes[i].lives && !copy_for(gate, fresh, i))
            return ERROR_IO;
    }
    return OK;
}

/* ---- The switch ---- */

static uint32_t places_of_workers(const struct workers *workers)
{
    uint32_t places = 0;

    for (unsigned i = 0; i < workers->count; i++)
        places |= (uint32_t)workers->processes[i].lives << i;
    return places;
}

static void leave(struct gate *gate, struct surface_state *surface)
{
    uint32_t slot = surfaces_index(&gate->surfaces, surface);

    surface->leaving = true;
    surface->left_at_ms = uv_now(&gate->loop);
    surface->awaited = places_of_workers(gate->workers);
    tickets_forget(&gate->tickets, slot);
    tickets_forget(&gate->login_codes, slot);
    surfaces_shut(surface);
}

/* What a surface is for: the register and `status` show it. */
static void keep_words(struct surface *kept, struct surface *fresh)
{
    struct surface words = {.why = kept->why, .can_do = kept->can_do};

    kept->why = fresh->why;
    kept->can_do = fresh->can_do;
    fresh->why = words.why;
    fresh->can_do = words.can_do;
}

/* Under lockdown what is new is killed as well, and stays so when the order is taken back. */
static void begin_locked(const struct gate *gate, struct surface_state *item)
{
    if (!lockdown_stands(gate->surfaces.config->state_dir))
        return;
    item->killed = true;
    store_surface_set_killed(gate->store, item->config->name, true, clock_now(),
                             (struct store_reply){NULL, NULL});
}

/* Those that went before leave; what they counted goes on being counted. */
static void install(struct gate *gate, struct fresh *fresh)
{
    struct surfaces *surfaces = &gate->surfaces;
    struct surface_state *before[CONFIG_SURFACES_MAX];
    struct config *config = fresh->bundle.config;
    size_t count = surfaces->count;

    for (size_t i = 0; i < count; i++) {
        before[i] = surfaces->live[i];
        before[i]->leaving = true;
    }
    surfaces->count = config->surface_count;
    for (size_t i = 0; i < config->surface_count; i++) {
        struct surface_state *item = &surfaces->items[fresh->slots[i]];

        if (item->config != NULL) {
            keep_words(item->config, &config->surfaces[i]);
        } else {
            *item = fresh->made[i];
            fresh->made[i] = (struct surface_state){.config = NULL};
            begin_locked(gate, item);
        }
        item->leaving = false;
        surfaces->live[i] = item;
    }
    for (size_t i = 0; i < count; i++) {
        struct surface_state *next;

        if (!before[i]->leaving)
            continue;
        next = surfaces_find(surfaces, before[i]->config->name);
        if (next != NULL) {
            next->killed = before[i]->killed;
            next->rehearsing = before[i]->rehearsing;
            next->kills = before[i]->kills;
        }
        hand_over_counts(gate, before[i], next);
        leave(gate, before[i]);
    }
}

/* The next reload compares with these bytes, and workers that start begin with them. */
static void keep_bundle(struct gate *gate, struct config_bundle *fresh)
{
    struct config_bundle before = *gate->bundle;

    *gate->bundle = *fresh;
    *fresh = before;
    /* What is not about surfaces is the same, and borrowed everywhere. */
    fresh->config = gate->bundle->config;
    gate->bundle->config = before.config;
    opener_keep(gate->opener);
}

static void tell(struct gate *gate, struct fresh *fresh, const bool made[CONFIG_SURFACES_MAX],
                 struct worker_process *process, size_t *next)
{
    struct ipc_config config = {{0}};

    for (size_t i = 0; i < gate->surfaces.count; i++)
        config.slots[i] = fresh->slots[i];
    worker_say(process, IPC_CONFIG, &config, fresh->descriptors[(*next)++]);
    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];
        const struct ipc_listen listen = {.surface = fresh->slots[i]};

        if (!made[i])
            continue;
        worker_send_certificate(process, surface);
        for (size_t j = 0; spawn_serves(&gate->surfaces, process->index, listen.surface) &&
                           j < surface->listener_count;
             j++)
            worker_say(process, IPC_LISTEN, &listen, fresh->descriptors[(*next)++]);
    }
    worker_say(process, IPC_SWITCH, NULL, -1);
}

static void end_if_done(struct gate *gate)
{
    struct switching *switching = &gate->switching;
    void (*done)(void *context) = switching->done;

    if (switching->awaited != 0 || done == NULL)
        return;
    switching->done = NULL;
    done(switching->context);
}

void switching_begin(struct gate *gate, struct fresh *fresh, void (*done)(void *context),
                     void *context)
{
    bool made[CONFIG_SURFACES_MAX];
    size_t next = 0;
    enum error error;

    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++)
        made[i] = fresh->made[i].config != NULL;
    install(gate, fresh);
    error = surfaces_keep_certificates(&gate->surfaces, &fresh->certificates);
    (void)error; /* they were good before this began */
    keep_bundle(gate, &fresh->bundle);
    services_follow(gate->services);
    gate->switching = (struct switching){.done = done, .context = context};
    if (fresh_differs(fresh)) {
        gate->switching.awaited = places_of_workers(gate->workers);
        for (unsigned i = 0; i < gate->workers->count; i++) {
            if (gate->workers->processes[i].lives)
                tell(gate, fresh, made, &gate->workers->processes[i], &next);
        }
        fresh->descriptor_count = 0; /* all are told */
    }
    workers_send_certificates(gate->workers);
    end_if_done(gate);
}

/* ---- After ---- */

enum error switching_take_switched(struct gate *gate, struct incarnation from)
{
    uint32_t place = UINT32_C(1) << from.worker;

    if ((gate->switching.awaited & place) == 0)
        return ERROR_SYNTAX;
    gate->switching.awaited &= ~place;
    end_if_done(gate);
    return OK;
}

bool switching_knows(const struct surface_state *surface, struct incarnation from)
{
    return !surface->leaving || (surface->awaited >> from.worker & 1) != 0;
}

enum error switching_take_vacated(struct gate *gate, struct incarnation from,
                                  struct surface_state *surface, const void *message)
{
    (void)message;
    if (!surface->leaving)
        return ERROR_SYNTAX;
    surface->awaited &= ~(UINT32_C(1) << from.worker);
    release(gate, surface);
    return OK;
}

void switching_forget(struct gate *gate, unsigned place)
{
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        gate->surfaces.items[i].awaited &= ~(UINT32_C(1) << place);
    gate->switching.awaited &= ~(UINT32_C(1) << place);
    end_if_done(gate);
}

void switching_stop(struct gate *gate)
{
    gate->switching.awaited = 0;
    end_if_done(gate);
}
