/*
 * What is mounted where for this process (proc_pid_mountinfo(5)), to see by which names the same
 * directory is there: each place is one of a file system, whatever mount shows it.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define MOUNTS_MAX 1000000 /* ten times what the kernel lets a namespace have (fs.mount-max) */

struct mount {
    char *point, *root; /* where it is, and which part of its file system it shows */
    unsigned id, parent, major, minor;
    bool top; /* it lies on none that this process can see */
};

/* All zero is a valid empty list. */
struct mounts {
    struct mount *rows;
    size_t count;
};

/* Where in which file system. */
struct mounts_place {
    unsigned major, minor;
    char path[PATH_MAX];
};

/* Without /proc there are none. ERROR_MEMORY, ERROR_LIMIT; the caller clears *out in any case. */
enum error mounts_read(const char *file, struct mounts *out) MUST_CHECK;
#define MOUNTS_OWN "/proc/self/mountinfo"
void mounts_clear(struct mounts *mounts);

/* Where a path without links leads, as the kernel goes it. False: nothing is known of it. */
bool mounts_find(const struct mounts *mounts, const char *path, struct mounts_place *out);

/* Whether a path without links is in the directory, or is it. */
bool mounts_is_within(const char *path, const char *directory);
