/*
 * Trees, as their parent sees them: started, dialled, ended. Everything happens in callbacks of
 * the parent's loop; nothing waits.
 *
 * A tree is one service and all that descends from it. It ends whole, and `ended` is called when
 * nothing of it is left: when its first process exits, when tree_kill() is called, when the
 * parent, the spawner or the keeper dies. No double fork, session or stopped process outlives it.
 *
 * Kernel 5.14 at least. An ordinary user needs unprivileged user namespaces; root needs none.
 */
#pragma once

#include "base/error.h"

#include "launch/command.h"
#include "launch/ports.h"
#include "launch/state.h"

#include <uv.h>

#define LAUNCHER_TREES_MAX 256
#define TREE_DIALS_MAX     256 /* not yet answered */

struct launcher;
struct tree;

/* Each may be NULL. A tree must not be started from within `ended`'s tree, nor used after it. */
struct tree_events {
    void (*started)(void *data); /* its program runs */
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
    int standard[3]; /* its standard descriptors, the caller's; -1: /dev/null */
    struct tree_events events;
    void *data;
};

/* `channel` is spawner_start()'s, and the launcher's from now on. */
enum error launcher_create(uv_loop_t *loop, int channel, struct launcher **out) MUST_CHECK;

/* Kills all trees at once and forgets them: no callback comes any more. The loop frees the rest. */
void launcher_destroy(struct launcher *launcher);

/* ERROR_LIMIT: LAUNCHER_TREES_MAX; ERROR_NOT_FOUND: the spawner has gone. Else `ended` comes once. */
enum error tree_start(struct launcher *launcher, const struct tree_options *options,
                      struct tree **out) MUST_CHECK;

/*
 * A connection to a port of the tree's (0: the first listener). `done` is called once: with a
 * socket that is its own from then on, connected or about to be, and 0; or with -1 and an errno.
 */
typedef void tree_dialed(void *data, int socket, int error);
enum error tree_dial(struct tree *tree, uint16_t port, tree_dialed *done, void *data) MUST_CHECK;

/* `port` for each that there is now, then `listed`. */
enum error tree_list(struct tree *tree) MUST_CHECK;

/* To its first process. */
enum error tree_signal(struct tree *tree, int number) MUST_CHECK;

void tree_kill(struct tree *tree);
