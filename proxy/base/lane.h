/*
 * A background thread that does jobs one after another, in the order in which they were given:
 * for what an event loop must not wait for, such as a disk.
 *
 * All functions here are the owner's, from one thread. A job is its giver's, embedded in
 * whatever it works on, and belongs to the lane until `done` is called.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define LANE_TURN_JOBS 16 /* whose `done` one lane_reap() calls */

struct lane;

struct lane_job {
    void (*work)(struct lane_job *job); /* on the lane's thread */
    /* On the owner's thread, after it; may free the job, and may give others. */
    void (*done)(struct lane_job *job);
    struct lane_job *next; /* the lane's own */
};

/* Starts the thread, with every signal blocked; `name` is for ps, to 15 bytes; borrowed. */
enum error lane_create(const char *name, struct lane **out) MUST_CHECK;
/* As lane_finish(), and ends the thread. */
void lane_destroy(struct lane *lane);
/*
 * Of a lane whose thread may be held up for good: nobody waits for it, and no `done` is called any
 * more. Its memory and the job at hand stay, for a process that is about to end.
 */
void lane_leave(struct lane *lane);

void lane_give(struct lane *lane, struct lane_job *job);
/* Readable (poll) while lane_reap() has something to do. */
int lane_fd(const struct lane *lane);
/* Calls `done` of jobs that were done, of a few in one turn. */
void lane_reap(struct lane *lane);
/* Waits until all that was given is done, and what their `done` gave too. */
void lane_finish(struct lane *lane);
