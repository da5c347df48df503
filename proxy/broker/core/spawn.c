#include "broker/core/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORKER_DESCRIPTORS_MAX 1024
#define SURFACES_BYTES_MAX     4096

/*
 * posix_spawn places the descriptors at the numbers a worker expects; sources
 * are first moved above all targets, so that none is overwritten too early.
 */
struct spawn_plan {
    posix_spawn_file_actions_t actions;
    int sources[WORKER_DESCRIPTORS_MAX];
    size_t count;
    int above;
};

static enum error plan_descriptor(struct spawn_plan *plan, int fd, int target)
{
    int source = fcntl(fd, F_DUPFD_CLOEXEC, plan->above);

    if (source < 0 || plan->count == WORKER_DESCRIPTORS_MAX) {
        if (source >= 0)
            close(source);
        return ERROR_IO;
    }
    plan->sources[plan->count++] = source;
    return posix_spawn_file_actions_adddup2(&plan->actions, source, target) == 0 ? OK
                                                                                 : ERROR_MEMORY;
}

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
    return !has_state(surface) || slot % workers == worker;
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

/* How many of a surface's listeners the worker is given. */
static size_t count_listeners(const struct surfaces *surfaces, unsigned worker, size_t index)
{
    const struct surface_state *surface = surfaces->live[index];

    return spawn_serves(surfaces, worker, surfaces_index(surfaces, surface))
               ? surface->listener_count
               : 0;
}

static enum error plan_standard(struct spawn_plan *plan, int errors_fd)
{
    posix_spawn_file_actions_t *actions = &plan->actions;

    if (posix_spawn_file_actions_addchdir_np(actions, "/") != 0 ||
        posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
        return ERROR_MEMORY;
    return plan_descriptor(plan, errors_fd, STDERR_FILENO);
}

static enum error plan_all(struct spawn_plan *plan, const struct surfaces *surfaces,
                           unsigned worker, const struct spawn_descriptors *given)
{
    enum error error;
    int target = SPAWN_LISTENER_FD;

    plan->above = SPAWN_LISTENER_FD;
    for (size_t i = 0; i < surfaces->count; i++)
        plan->above += (int)count_listeners(surfaces, worker, i);
    error = plan_standard(plan, given->errors);
    if (error == OK)
        error = plan_descriptor(plan, given->channel, SPAWN_CHANNEL_FD);
    if (error == OK)
        error = plan_descriptor(plan, given->config, SPAWN_CONFIG_FD);
    for (size_t i = 0; i < surfaces->count; i++) {
        for (size_t j = 0; error == OK && j < count_listeners(surfaces, worker, i); j++)
            error = plan_descriptor(plan, surfaces->live[i]->listeners[j].fd, target++);
    }
    return error;
}

/* A session without a terminal, and signals as a new program expects them. */
static bool set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0;
}

/* The environment is empty: nothing of it is a worker's business. */
static enum error run(const struct spawn_plan *plan, char *const said[SPAWN_ARGUMENTS], pid_t *out)
{
    char verb[] = SPAWN_WORKER_VERB, name[] = "sidelock";
    char *arguments[] = {name, verb, said[0], said[1], said[2], NULL}, *environment[] = {NULL};
    posix_spawnattr_t attributes;
    enum error error = OK;

    if (posix_spawnattr_init(&attributes) != 0)
        return ERROR_MEMORY;
    if (!set_attributes(&attributes) || posix_spawn(out, "/proc/self/exe", &plan->actions,
                                                    &attributes, arguments, environment) != 0)
        error = ERROR_IO;
    posix_spawnattr_destroy(&attributes);
    return error;
}

static void append_slot(char list[SURFACES_BYTES_MAX], uint32_t slot)
{
    size_t length = strlen(list);

    snprintf(list + length, SURFACES_BYTES_MAX - length, "%s%u", length > 0 ? "," : "", slot);
}

/* The slots travel as arguments: "0,0,1". */
enum error spawn_worker(const struct surfaces *surfaces, unsigned worker,
                        const struct spawn_descriptors *given, pid_t *out)
{
    char listeners[SURFACES_BYTES_MAX] = "", slots[SURFACES_BYTES_MAX] = "", connections[24];
    char *const said[SPAWN_ARGUMENTS] = {listeners, slots, connections};
    struct spawn_plan *plan = calloc(1, sizeof(*plan));
    enum error error;
    pid_t pid = 0;

    if (plan == NULL)
        return ERROR_MEMORY;
    snprintf(connections, sizeof(connections), "%zu", surfaces->connections_max);
    for (size_t i = 0; i < surfaces->count; i++) {
        uint32_t slot = surfaces_index(surfaces, surfaces->live[i]);

        append_slot(slots, slot);
        for (size_t j = 0; j < count_listeners(surfaces, worker, i); j++)
            append_slot(listeners, slot);
    }
    posix_spawn_file_actions_init(&plan->actions);
    error = plan_all(plan, surfaces, worker, given);
    if (error == OK)
        error = run(plan, said, &pid);
    posix_spawn_file_actions_destroy(&plan->actions);
    for (size_t i = 0; i < plan->count; i++)
        close(plan->sources[i]);
    free(plan);
    if (error == OK)
        *out = pid;
    return error;
}
