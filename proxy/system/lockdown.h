/*
 * The order to serve nothing: it stands as long as something called "lockdown" is in the state
 * directory, where only whoever runs Sidelock, and root, can put it. So it can be given when
 * nothing answers any more, and outlives every process of the gate.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

#define LOCKDOWN_NAME      "lockdown"
#define LOCKDOWN_PATH_SIZE 4096
#define LOCKDOWN_LOOK_MS   50 /* how often it is looked for where it cannot be watched */

/* <state_dir>/lockdown */
void lockdown_path(const char *state_dir, char out[LOCKDOWN_PATH_SIZE]);
/* Also where it cannot be found out. */
bool lockdown_stands(const char *state_dir);

/* Whoever waits for it. */
struct lockdown {
    char *state_dir;
    int watch; /* inotify(7); -1: there is none to be had */
    bool stood;
};

/* Takes what stands already as seen. ERROR_MEMORY. */
enum error lockdown_open(const char *state_dir, struct lockdown *out) MUST_CHECK;
void lockdown_close(struct lockdown *lockdown);
/* How long poll(2) may wait beside `watch` before lockdown_is_new() is asked again. */
int lockdown_timeout_ms(const struct lockdown *lockdown);
/* Whether it was given since this was asked last; also one that is taken back and given again. */
bool lockdown_is_new(struct lockdown *lockdown);
/* Gives it. ERROR_IO: the file cannot be made; errno says why. */
enum error lockdown_order(struct lockdown *lockdown) MUST_CHECK;
