/*
 * landlock(7): what a process and all that it starts from now on cannot open, change or reach any
 * more, whoever they are. Each version of the kernel's knows more; what it does not know is left
 * out.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* What may be done at a place all the same. */
enum landlock_may {
    LANDLOCK_MAY_KEEP,  /* in a directory: files and sockets are made, written, cut off, removed */
    LANDLOCK_MAY_WRITE, /* to one file */
    LANDLOCK_MAY_EXECUTE, /* one file */
    /* Below a directory: from one directory to another, which every rule of version 2 or later
     * refuses if it is not said; earlier ones refuse it in any case. */
    LANDLOCK_MAY_MOVE
};

struct landlock_place {
    const char *path;
    enum landlock_may may;
};

#define LANDLOCK_MOVES 2 /* the version from which LANDLOCK_MAY_MOVE is heard */

/* 0: the kernel has none, or hides it. */
unsigned landlock_version(void);
/*
 * For this thread and those that it starts: the fences (bits of fence_kind.h; the others are not
 * Landlock's) but for the places. OK as well where the kernel lacks some of them, or Landlock.
 * ERROR_IO: it has it, and refuses.
 */
enum error landlock_hold(uint32_t fences, const struct landlock_place *places,
                         size_t count) MUST_CHECK;
