/* Which file a service's program was when it was started: whether it is still the same. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct program {
    char path[PATH_MAX];
    struct stat facts; /* st_ino 0: nothing is known */
};

void program_note(struct program *program, const char *path);
/* True also where nothing is known of it. One that is gone is another one. */
bool program_is(const struct program *program);
