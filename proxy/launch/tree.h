/*
 * A tree, as its parent sees it: one service and all that descends from it. Everything happens in
 * callbacks of the parent's loop; nothing waits.
 *
 * It ends whole, and `ended` is called when nothing of it is left: when its first process exits,
 * when tree_kill() is called, when the parent, the spawner or the keeper dies. No double fork,
 * session or stopped process outlives it.
 */
#pragma once

#include "base/error.h"

#include "launch/calls/state.h"
#include "launch/common/command.h"
#include "launch/common/ports.h"
#include "launch/dials.h"
#include "system/proof.h"

#include <sys/types.h>
#include <uv.h>

struct tree;

/* Each may be NULL. A tree is not to be used once `ended` has been called. */
struct tree_events {
    /* Its program runs: `pid` in its namespace. The proof's descriptor is the callee's; -1: none.
     */
    void (*started)(void *data, const struct proof *proof, pid_t pid);
    void (*port)(void *data, const struct port *port); /* bound; the first of TCP: it is ready */
    void (*refused)(void *data, const struct refusal *refusal);
    void (*listed)(void *data);
    /*
     * The last. `status` is the wait status of its first process (waitpid(2)), SIGKILL's if it was
     * killed; `why` says what failed if it never ran, else it is "".
     */
    void (*ended)(void *data, int status, const char *why);
};

struct tree_options {
    struct command command;
    bool relay; /* its program is the spawner's relay; of the command all else counts */
    /* Its standard descriptors, the caller's. -1: /dev/null, and an input that stays open and
     * silent. */
    int standard[3];
    const int *record; /* where what it does is told (launch/common/record.h); NULL or -1: nobody
                          learns it */
    struct tree_events events;
    void *data;
};

/*
 * A connection to a port of the tree's (0: the first listener). `done` is called once: with a
 * socket that is its own from then on, connected or about to be, and 0; or with -1 and an errno.
 * ERROR_LIMIT: DIALS_MAX wait; ERROR_STATE: the tree is ending, or its keeper does not keep up.
 */
enum error tree_dial(struct tree *tree, uint16_t port, dial_done *done, void *data) MUST_CHECK;

/* The same for the private network, whose descriptor setns(2) takes, in the place of a socket. */
enum error tree_enter(struct tree *tree, dial_done *done, void *data) MUST_CHECK;

/* `port` for each that there is now, then `listed`. */
enum error tree_list(struct tree *tree) MUST_CHECK;

/* To its first process. */
enum error tree_signal(struct tree *tree, int number) MUST_CHECK;

void tree_kill(struct tree *tree);

/* Of its first process, in our PID namespace; 0: it is not there. */
pid_t tree_pid(const struct tree *tree);

/* ---- what the launcher calls ---- */

/* Its trees that have not ended. All zero at first. */
struct trees {
    struct tree *first;
    size_t count;
    int spawner; /* the channel to it; borrowed */
};

/* What the spawner hands over of one. */
enum { TREE_PIDFD, TREE_GROUP, TREE_DESCRIPTORS };

/* `channel` is the parent's end of the keeper's, and the tree's from then on. */
enum error trees_add(struct trees *trees, uv_loop_t *loop, const struct tree_options *options,
                     uint32_t number, int channel, struct tree **out) MUST_CHECK;

/* The spawner has made the one of this number: its pidfd, and the directory of its control group,
 * if it has one, which are taken over; or could not: -1 and an errno. */
void trees_made(struct trees *trees, uint32_t number, int given[TREE_DESCRIPTORS], int error);

/* Without their spawner all are dead, or about to be; those that it never made end at once. */
void trees_lost(struct trees *trees);

/* All are killed, and no callback comes any more. */
void trees_forget(struct trees *trees);
