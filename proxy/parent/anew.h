/*
 * Starts this very program anew, as one of its own processes: never another one, and with no
 * argument that came from outside.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ANEW_ARGUMENTS 3

/* The descriptors are the caller's. */
struct anew {
    const char *verb, *arguments[ANEW_ARGUMENTS]; /* argv[1] and those after it, until a NULL */
    const int *descriptors;                       /* which it finds from 3 on, in this order */
    size_t count;
    int errors; /* its standard error */
    bool alone; /* in a session of its own, without an environment, in the root directory */
};

/*
 * It has a process group of its own, /dev/null for 0 and 1, and signals as a new program expects
 * them. *pidfd is close-on-exec and the caller's.
 */
enum error anew_start(const struct anew *anew, pid_t *pid, int *pidfd) MUST_CHECK;
