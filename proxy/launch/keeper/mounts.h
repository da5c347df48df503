/* Mounts of the tree's own mount namespace: copied, changed, laid over (mount_setattr(2), 5.12). */
#pragma once

#include "base/error.h"

/* Of the mount at `path` below `at`, and all below: these MOUNT_ATTR_ too. "": `at` itself. */
enum error mounts_set(int at, const char *path, unsigned attributes) MUST_CHECK;
/* A copy of what is mounted there, and below, with these besides; the caller's. -1 and errno. */
int mounts_copy(int at, const char *path, unsigned attributes);
/* Lays a copy over what is there. */
enum error mounts_lay(int mount, int at, const char *path) MUST_CHECK;
