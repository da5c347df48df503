/* Which file a service's program was when it was started: whether it is still the same. */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct program {
    char path[PATH_MAX];
    struct stat facts; /* st_ino 0: nothing is known */
    bool told;         /* that it is another one */
};

void program_note(struct program *program, const char *path);
/* True once, when it is another one; one that is gone is. `why` says so to whoever may think that
 * the new one runs, as does the log. */
bool program_was_replaced(struct program *program, const char *surface, char why[WHY_SIZE]);
