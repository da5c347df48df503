/*
 * Which programs call, asked of the looker (launch/supervise/looker.h), which may look into other
 * processes; the loop goes on meanwhile. One question is asked at a time, so that an answer is
 * that question's. Who has waited too long is told that it is not known; a looker that has ended is
 * followed by another, who is asked the same.
 */
#pragma once

#include "broker/core/proven.h"
#include "system/caller_program.h"

#include <stdbool.h>
#include <uv.h>

#define LOOKS_PATIENCE_MS   2000 /* of those who wait */
#define LOOKS_TOLD_PER_TURN 16   /* of those whose patience is at its end */

struct looks;

/* Somebody who waits. Embedded in the asker's own. */
struct looks_wait {
    uint32_t uid, inode; /* whose, and of which socket */
    /* Once, not in the call that asks. NULL: not known; else borrowed until it returns. */
    void (*found)(struct looks_wait *wait, const char *program);
    void *context;                 /* the asker's */
    uint64_t since;                /* ours, from here on */
    struct looks_wait *next, **at; /* what points to it; NULL: it does not wait */
};

/* `looker` is borrowed, and becomes what it says of its fences. */
enum error looks_create(uv_loop_t *loop, struct proven *looker, struct looks **out) MUST_CHECK;
/* The loop has closed its handles. Takes NULL. */
void looks_destroy(struct looks *looks);

/* There is a looker, the first or another one. The channel to it is taken over. */
void looks_take_looker(struct looks *looks, int fd, pid_t pid);
void looks_find(struct looks *looks, struct looks_wait *wait);
/* Waits no longer. */
void looks_forget(struct looks *looks, struct looks_wait *wait);
