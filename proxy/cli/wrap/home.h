/*
 * The private directory of one `sidelock wrap`, below $XDG_RUNTIME_DIR/sidelock (mode 0700): its
 * configuration, state and control socket. It is locked as long as anybody of it lives; what one
 * that was killed has left is used again.
 */
#pragma once

#include "base/error.h"

#define HOME_PATH_SIZE 96 /* a socket's name lies in it (unix(7)) */

struct home {
    char path[HOME_PATH_SIZE];
    int lock; /* a descriptor that who lives longer inherits */
};

/*
 * An empty one called `name`, or `name-2` and so on beside others. ERROR_DENIED, ERROR_IO,
 * ERROR_LIMIT: `why` is a sentence.
 */
enum error home_take(const char *name, struct home *out, char why[WHY_SIZE]) MUST_CHECK;
/* Removes it with all that is in it, as far as it can be. */
void home_remove(struct home *home);

/* A new file in it, mode 0600. ERROR_IO with errno. */
enum error home_write(const struct home *home, const char *name, const char *text) MUST_CHECK;
/* The path of something in it. */
void home_path(const struct home *home, const char *name, char out[HOME_PATH_SIZE + 32]);
