#include "launch/calls/execution.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is the process's own to it would be ours to us. */
static const char *own_place(const struct execution *execution, char out[PATH_MAX])
{
    static const struct {
        const char *name, *place;
    } places[] = {{"/proc/self/", ""}, {"/proc/thread-self/", ""}, {"/dev/fd/", "fd/"}};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        size_t length = strlen(places[i].name);

        if (strncmp(execution->path, places[i].name, length) != 0)
            continue;
        if (snprintf(out, PATH_MAX, "/proc/%d/%s%s", execution->thread, places[i].place,
                     execution->path + length) < PATH_MAX)
            return out;
    }
    return execution->path;
}

int execution_judge(const struct execution *execution)
{
    char own[PATH_MAX];
    struct stat facts;

    if (stat(own_place(execution, own), &facts) < 0 || !S_ISREG(facts.st_mode) ||
        (facts.st_mode & 0111) == 0)
        return 0; /* the kernel knows why not */
    for (size_t i = 0; i < execution->permitted_count; i++) {
        if (execution->permitted[i].device == facts.st_dev &&
            execution->permitted[i].inode == facts.st_ino)
            return 0;
    }
    return EACCES;
}
