#include "launch/keeper/tree_group.h"

#include "launch/common/passing.h"
#include "system/cgroup.h"
#include "system/fence_kind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX    "tree-"
#define SERVICE   "service"
#define NAME_SIZE 64

static void name_of(uint32_t number, char out[NAME_SIZE])
{
    snprintf(out, NAME_SIZE, PREFIX "%d-%u", getpid(), number);
}

/* One with processes stays. */
static void take_away(int base, const char *name)
{
    char below[NAME_SIZE + sizeof("/" SERVICE)];

    snprintf(below, sizeof(below), "%.*s/" SERVICE, NAME_SIZE - 1, name);
    (void)unlinkat(base, below, AT_REMOVEDIR);
    (void)unlinkat(base, name, AT_REMOVEDIR);
}

static void sweep(int base)
{
    int again = openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again >= 0 ? fdopendir(again) : NULL;
    const struct dirent *entry;

    if (directory == NULL) {
        passing_close(&again);
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
            take_away(base, entry->d_name);
    }
    closedir(directory);
}

int tree_group_open_base(void)
{
    char path[CGROUP_PATH_SIZE];
    int base = cgroup_base(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (base >= 0)
        sweep(base);
    return base;
}

/* Whether the kernel has it so. */
static bool set(int directory, const char *file, unsigned long long value)
{
    char text[32], read[64];

    snprintf(text, sizeof(text), "%llu", value);
    return cgroup_write_file(directory, file, text) == OK &&
           cgroup_read_file(directory, file, read, sizeof(read)) == OK &&
           strtoull(read, NULL, 10) == value;
}

/* What is on swap is memory, too; and who needs more than there is takes all of the tree along. */
static bool limit_memory(int directory, uint32_t mib)
{
    return (faccessat(directory, "memory.swap.max", F_OK, 0) < 0 ||
            set(directory, "memory.swap.max", 0)) &&
           set(directory, "memory.oom.group", 1) &&
           set(directory, "memory.max", (unsigned long long)mib << 20);
}

static void limit(int directory, const struct tree_group_wish *wish, struct tree_group *out)
{
    if (wish->memory_mib > 0 && limit_memory(directory, wish->memory_mib))
        out->held |= FENCE(MEMORY);
    if (wish->processes > 0 && set(directory, "pids.max", wish->processes))
        out->held |= FENCE(PROCESSES);
}

void tree_group_make(int base, const struct tree_group_wish *wish, struct tree_group *out)
{
    char name[NAME_SIZE];

    *out = (struct tree_group){.directory = -1, .way_in = -1};
    if (base < 0 || (wish->memory_mib == 0 && wish->processes == 0))
        return;
    name_of(wish->number, name);
    if (mkdirat(base, name, 0755) == 0)
        out->directory = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->directory < 0)
        return;
    /* The tree makes no groups of its own: they would outlive it. */
    if (mkdirat(out->directory, SERVICE, 0755) == 0 &&
        set(out->directory, "cgroup.max.descendants", 1))
        out->way_in = openat(out->directory, SERVICE "/cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (out->way_in >= 0) {
        limit(out->directory, wish, out);
        return;
    }
    passing_close(&out->directory);
    take_away(base, name);
}

enum error tree_group_enter(int way_in)
{
    return write(way_in, "0", 1) == 1 ? OK : ERROR_IO;
}

void tree_group_remove(int base, uint32_t number)
{
    char name[NAME_SIZE];

    name_of(number, name);
    if (base >= 0)
        take_away(base, name);
}
