#include "launch/keeper/forbidding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 256

/* The number in a file of /proc; -1: there is none. */
static long read_switch(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[LINE_SIZE];
    long value = -1;

    if (file != NULL && fgets(line, sizeof(line), file) != NULL)
        value = strtol(line, NULL, 10);
    if (file != NULL)
        fclose(file);
    return value;
}

static long read_filtered(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[LINE_SIZE];
    long value = -1;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "Seccomp:", 8) == 0)
            value = strtol(line + 8, NULL, 10);
    }
    if (file != NULL)
        fclose(file);
    return value;
}

void forbidding_read(struct forbidding *out)
{
    *out = (struct forbidding){
        .user_namespaces_max = read_switch("/proc/sys/user/max_user_namespaces"),
        .network_namespaces_max = read_switch("/proc/sys/user/max_net_namespaces"),
        .unprivileged_namespaces = read_switch("/proc/sys/kernel/unprivileged_userns_clone"),
        .apparmor_restricts = read_switch("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
        .filtered = read_filtered()};
}

static bool was_refused(const struct trial *trial)
{
    return trial->error == EPERM || trial->error == EACCES || trial->error == ENOSYS;
}

/* A number of namespaces that may be made, of which there may be none. */
static const char *blame_numbers(const struct forbidding *forbidding, const struct trial *trial,
                                 bool root, const char **remedy)
{
    if (trial->step == STEP_NETWORK && forbidding->network_namespaces_max == 0) {
        *remedy = "run `sudo sysctl -w user.max_net_namespaces=15000`";
        return "user.max_net_namespaces is 0";
    }
    if (trial->step != STEP_CLONE || root)
        return NULL;
    if (forbidding->user_namespaces_max == 0) {
        *remedy = "run `sudo sysctl -w user.max_user_namespaces=15000`";
        return "user.max_user_namespaces is 0";
    }
    if (forbidding->unprivileged_namespaces == 0) {
        *remedy = "run `sudo sysctl -w kernel.unprivileged_userns_clone=1`";
        return "kernel.unprivileged_userns_clone is 0";
    }
    return NULL;
}

/* AppArmor lets the namespace be made and withholds what it is for, or refuses it with EACCES. */
static const char *blame_confinement(const struct forbidding *forbidding, const struct trial *trial,
                                     bool root, const char **remedy)
{
    bool cloned = trial->step != STEP_CLONE;

    if (!was_refused(trial) || trial->step > STEP_LOOPBACK)
        return NULL;
    if (!root && forbidding->apparmor_restricts == 1 &&
        (cloned || trial->error == EACCES || forbidding->filtered != 2)) {
        *remedy = "permit `userns` to this program by a profile, as the package's does (`sudo "
                  "apparmor_parser -r /etc/apparmor.d/sidelock`)";
        return "AppArmor's kernel.apparmor_restrict_unprivileged_userns is 1";
    }
    if (cloned || forbidding->filtered != 2)
        return NULL;
    *remedy = "run the container with a seccomp profile that permits them, and as root with "
              "CAP_SYS_ADMIN (`docker run --security-opt seccomp=FILE`)";
    return "a filter of system calls is in force, as a container's is";
}

const char *forbidding_blame(const struct forbidding *forbidding, const struct trial *trial,
                             bool root, char why[WHY_SIZE])
{
    const char *remedy = step_remedy(trial->step);
    const char *cause = blame_numbers(forbidding, trial, root, &remedy);

    if (cause == NULL)
        cause = blame_confinement(forbidding, trial, root, &remedy);
    if (cause == NULL && trial->step == STEP_FILTER && trial->error == EBUSY) {
        remedy = "run the gate outside of what supervises its system calls, as a container engine "
                 "may";
        cause = "another supervisor has a filter in force";
    }
    if (cause == NULL)
        snprintf(why, WHY_SIZE, "%s: %s", step_what(trial->step), strerror(trial->error));
    else
        snprintf(why, WHY_SIZE, "%s: %s: %s", step_what(trial->step), strerror(trial->error),
                 cause);
    return remedy;
}
