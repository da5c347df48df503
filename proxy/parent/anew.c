#include "parent/anew.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * posix_spawn places the descriptors at the numbers that are expected; sources
 * are first moved above all targets, so that none is overwritten too early.
 */
struct plan {
    posix_spawn_file_actions_t actions;
    int above;
    size_t count;
    int sources[];
};

static enum error place(struct plan *plan, int fd, int target)
{
    int source = fcntl(fd, F_DUPFD_CLOEXEC, plan->above);

    if (source < 0)
        return ERROR_IO;
    plan->sources[plan->count++] = source;
    return posix_spawn_file_actions_adddup2(&plan->actions, source, target) == 0 ? OK
                                                                                 : ERROR_MEMORY;
}

static enum error place_all(struct plan *plan, const struct anew *anew)
{
    posix_spawn_file_actions_t *actions = &plan->actions;
    enum error error;

    plan->above = STDERR_FILENO + 1 + (int)anew->count;
    if ((anew->alone && posix_spawn_file_actions_addchdir_np(actions, "/") != 0) ||
        posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0)
        return ERROR_MEMORY;
    error = place(plan, anew->errors, STDERR_FILENO);
    for (size_t i = 0; error == OK && i < anew->count; i++)
        error = place(plan, anew->descriptors[i], STDERR_FILENO + 1 + (int)i);
    return error;
}

/* What is typed at the terminal (^C) is meant for the parent: it reaches neither. */
static bool set_attributes(posix_spawnattr_t *attributes, bool alone)
{
    int own = alone ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;

    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawnattr_setflags(
               attributes, (short)(own | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF)) == 0 &&
           posix_spawnattr_setpgroup(attributes, 0) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0;
}

static enum error run(const struct plan *plan, const struct anew *anew, pid_t *out)
{
    char name[] = "sidelock", *nothing[] = {NULL};
    char *arguments[2 + ANEW_ARGUMENTS + 1] = {name, (char *)(uintptr_t)anew->verb};
    posix_spawnattr_t attributes;
    enum error error = OK;

    for (size_t i = 0; i < ANEW_ARGUMENTS; i++)
        arguments[2 + i] = (char *)(uintptr_t)anew->arguments[i];
    if (posix_spawnattr_init(&attributes) != 0)
        return ERROR_MEMORY;
    if (!set_attributes(&attributes, anew->alone) ||
        posix_spawn(out, "/proc/self/exe", &plan->actions, &attributes, arguments,
                    anew->alone ? nothing : environ) != 0)
        error = ERROR_IO;
    posix_spawnattr_destroy(&attributes);
    return error;
}

enum error anew_start(const struct anew *anew, pid_t *pid, int *pidfd)
{
    struct plan *plan = calloc(1, sizeof(*plan) + (anew->count + 1) * sizeof(plan->sources[0]));
    enum error error;
    pid_t started = 0;

    if (plan == NULL)
        return ERROR_MEMORY;
    posix_spawn_file_actions_init(&plan->actions);
    error = place_all(plan, anew);
    if (error == OK)
        error = run(plan, anew, &started);
    posix_spawn_file_actions_destroy(&plan->actions);
    for (size_t i = 0; i < plan->count; i++)
        close(plan->sources[i]);
    free(plan);
    if (error != OK)
        return error;
    /* Ours, and not waited for yet: the number is nobody else's. */
    *pidfd = (int)syscall(SYS_pidfd_open, started, 0);
    *pid = started;
    return OK;
}
