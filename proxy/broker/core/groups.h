/*
 * The groups of users who call, looked up without holding up the loop: the group database may be a
 * file, or a directory on another machine. A thread asks it, once for all who wait for the same
 * user; what it says is remembered for a while, of a bounded number of users. Who has waited too
 * long is told that it is not known.
 *
 * In the broker, and not in the parent: who owns a service's socket is looked up here already, a
 * directory that hangs would hold up the parent's reloads and workers, and what the broker's
 * fence keeps a source of names from doing ends in a denial.
 */
#pragma once

#include "base/lane.h"
#include "system/user_groups.h"

#include <stdbool.h>
#include <uv.h>

#define GROUPS_KNOWN_MAX     64    /* users, remembered or being looked up */
#define GROUPS_AGE_MS        60000 /* of what is remembered, from when it was asked for */
#define GROUPS_FAILED_AGE_MS 1000  /* of what could not be found out, from when that was known */
#define GROUPS_PATIENCE_MS   2000  /* of those who wait */
#define GROUPS_TOLD_PER_TURN 16    /* of those who wait for one user */

struct groups;

/* user_groups_find(), or what a test puts in its place. */
typedef enum error groups_source(uint32_t uid, struct user_groups *out);

/* Somebody who waits for a user's groups. */
struct groups_wait {
    void (*known)(struct groups_wait *wait); /* once: ask again, in this very call */
    void *context;                           /* the asker's */
    struct groups_wait *next, **at;          /* ours; what points to it, NULL: nothing */
};

enum error groups_create(uv_loop_t *loop, groups_source *source, struct groups **out) MUST_CHECK;
/* After the loop's end. A look-up that hangs is left behind, for a process that is about to end. */
void groups_destroy(struct groups *groups);
/* The thread, for whoever watches it. */
struct lane *groups_lane(const struct groups *groups);

/*
 * OK: *out is borrowed, until the loop turns. ERROR_STATE: they are being looked up, and `wait`
 * (NULL: nobody) is told. Anything else: they cannot be known now.
 */
enum error groups_find(struct groups *groups, uint32_t uid, struct groups_wait *wait,
                       const struct user_groups **out) MUST_CHECK;
/* Waits no longer. */
void groups_forget(struct groups_wait *wait);
