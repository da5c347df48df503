/*
 * The connections of workers that have ended: they go some a turn of the loop, and everybody else
 * has his turn in between. The first of each worker get the line in the audit log that it did not
 * tell; the rest are counted (core/lines.h).
 */
#pragma once

#include "broker/core/gate.h"

#define ENDINGS_PER_TURN 200

/* The owner's memory, until the loop has closed what endings_close() closes. */
struct endings {
    struct gate *gate; /* borrowed */
    uv_idle_t idle;    /* runs while some are left */
    /* By a worker's place. */
    struct {
        bool left;
        struct incarnation worker;
    } places[CONFIG_WORKERS_MAX];
};

void endings_open(struct endings *endings, struct gate *gate);
/* A worker has ended; nothing is left of the one before it in its place. */
void endings_begin(struct endings *endings, struct incarnation worker, enum reason reason);
/* Whether some of the last worker in a place are left. */
bool endings_are_left(const struct endings *endings, unsigned place);
/* All that are left go at once: the broker is about to exit. */
void endings_close(struct endings *endings);
