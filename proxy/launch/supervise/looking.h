/*
 * The life of the looker (looker.h): forked by what starts the launcher, which has no fences that a
 * look into others would fail at, once a surface has rules about programs that call; and again when
 * it has ended. It ends with the broker, at the end of the channel, and with its parent.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOOKING_PAUSE_MS 500 /* at least, between two */

struct looking {
    bool wanted;
    pid_t pid; /* 0: there is none */
    int pidfd; /* readable when it has ended; -1: there is none */
    uint64_t next_at_ms;
};

void looking_init(struct looking *looking);
/*
 * Forks one if there should be one and may be now: *end is the broker's end of its channel, the
 * caller's, or -1. Returns after how long to ask again, or -1: when something has happened. In the
 * child the caller's descriptors are closed by `leave`.
 */
int looking_start(struct looking *looking, uint64_t now_ms, void (*leave)(void *context),
                  void *context, int *end);
/* Its pidfd is readable. */
void looking_reap(struct looking *looking);
/* Kills it, and waits for it. */
void looking_end(struct looking *looking);
