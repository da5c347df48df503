/* How the tree of a service ended: in words, and what follows. */
#pragma once

#include "base/error.h"
#include "config/config.h"

#define ENDING_PAUSE_MIN_MS 200 /* before the first new start; twice as much before each other */
#define ENDING_PAUSE_MAX_MS 30000

struct ending {
    int status;         /* as of waitpid(2) */
    const char *failed; /* why it never ran, or "" */
    const char *late;   /* what it did not do in time, for which it was ended, or "" */
};

void ending_describe(const struct ending *ending, char why[WHY_SIZE]);
/* Whether it is started again, as its surface has it (NULL: that has gone). */
bool ending_is_followed(const struct ending *ending, const struct surface *surface);
/* Before the next start, after so many others in vain. */
uint64_t ending_pause_ms(unsigned failures);
