#include "broker/core/spawn.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
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

bool spawn_serves(const struct config *config, unsigned worker, size_t surface)
{
    const struct surface *served = &config->surfaces[surface];

    for (size_t i = 0; i < served->route_count; i++) {
        if (served->routes[i].kind == ROUTE_MCP_HTTP)
            return surface % config->workers == worker;
    }
    return true;
}

/* How many of a surface's listeners the worker is given. */
static size_t count_listeners(const struct surfaces *surfaces, unsigned worker, size_t surface)
{
    return spawn_serves(surfaces->config, worker, surface) ? surfaces->items[surface].listener_count
                                                           : 0;
}

static enum error plan_all(struct spawn_plan *plan, const struct surfaces *surfaces,
                           unsigned worker, int channel_fd, int config_fd)
{
    enum error error;
    int target = SPAWN_LISTENER_FD;

    plan->above = SPAWN_LISTENER_FD;
    for (size_t i = 0; i < surfaces->config->surface_count; i++)
        plan->above += (int)count_listeners(surfaces, worker, i);
    error = plan_descriptor(plan, channel_fd, SPAWN_CHANNEL_FD);
    if (error == OK)
        error = plan_descriptor(plan, config_fd, SPAWN_CONFIG_FD);
    for (size_t i = 0; i < surfaces->config->surface_count; i++) {
        for (size_t j = 0; error == OK && j < count_listeners(surfaces, worker, i); j++)
            error = plan_descriptor(plan, surfaces->items[i].listeners[j].fd, target++);
    }
    return error;
}

/*
 * The listeners' surfaces travel as arguments: "0,0,1". The environment is
 * empty: nothing of it is a worker's business.
 */
enum error spawn_worker(const struct surfaces *surfaces, unsigned worker, int channel_fd,
                        int config_fd, pid_t *out)
{
    char indices[SURFACES_BYTES_MAX] = "", verb[] = SPAWN_WORKER_VERB, name[] = "sidelock";
    char *arguments[] = {name, verb, indices, NULL}, *environment[] = {NULL};
    struct spawn_plan *plan = calloc(1, sizeof(*plan));
    size_t length = 0;
    enum error error;
    pid_t pid;

    if (plan == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < surfaces->config->surface_count; i++) {
        for (size_t j = 0; j < count_listeners(surfaces, worker, i); j++)
            length += (size_t)snprintf(indices + length, sizeof(indices) - length, "%s%zu",
                                       length > 0 ? "," : "", i);
    }
    posix_spawn_file_actions_init(&plan->actions);
    error = plan_all(plan, surfaces, worker, channel_fd, config_fd);
    if (error == OK &&
        posix_spawn(&pid, "/proc/self/exe", &plan->actions, NULL, arguments, environment) != 0)
        error = ERROR_IO;
    posix_spawn_file_actions_destroy(&plan->actions);
    for (size_t i = 0; i < plan->count; i++)
        close(plan->sources[i]);
    free(plan);
    if (error == OK)
        *out = pid;
    return error;
}
