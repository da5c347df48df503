/*
 * The parent, as the broker knows it: starts workers and says how they ended, and passes on the
 * signals of the operator. What it opens is asked for in opener.h.
 */
#pragma once

#include "ipc/errand.h"
#include "system/proof.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

struct parent;

/* Who hears it. */
struct parent_listener {
    void (*spawned)(void *context, unsigned worker, pid_t pid, int pidfd); /* pid 0: it was not */
    void (*ended)(void *context, unsigned worker, int status);
    void (*stop)(void *context);
    void (*hangup)(void *context);
    /* Of its ends: the status of what forked it, its pidfd, the channel to it; taken over. */
    void (*launcher)(void *context, const struct errand *errand, int fd);
    struct proof *proof;         /* becomes what the parent found out about itself */
    void (*gone)(void *context); /* the parent: nothing is to be heard any more */
    void *context;
};

/* Takes over the descriptor of the channel for workers. */
enum error parent_create(uv_loop_t *loop, int fd, const struct parent_listener *listener,
                         struct parent **out) MUST_CHECK;
/* The loop has closed its handles. */
void parent_destroy(struct parent *parent);

/* `fd` (-1: none) is taken over. */
enum error parent_say(struct parent *parent, const struct errand *errand, int fd) MUST_CHECK;
/* Waits for the next that it says, and hears it. False: it has gone. */
bool parent_wait(struct parent *parent);
