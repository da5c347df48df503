/* A worker is started by the parent: which surfaces it serves, and with which descriptors. */
#pragma once

#include "broker/core/surfaces.h"

struct parent;

/* What a worker is given beside its listeners; the descriptors stay the caller's. */
struct spawn_descriptors {
    int channel, config;
    int errors; /* the end of a pipe that takes what it says; non-blocking, so that it never waits
                 */
    const int *telemetry; /* listeners that are no surface's */
    size_t telemetry_count;
};

/*
 * Asks for it: the parent says whether it was started. ERROR_IO: the parent has gone, or there are
 * no descriptors.
 */
enum error spawn_worker(struct parent *parent, const struct surfaces *surfaces, unsigned worker,
                        const struct spawn_descriptors *given) MUST_CHECK;

/*
 * Whether this worker listens for a surface. Between the requests of MCP over
 * HTTP there is state (which session opened which MCP session, what waits for an
 * answer), and it lives in one process: such a surface has one worker. So has one that says
 * what a session may do in a second: only who sees all of it can count that. All others have
 * every worker.
 */
/* The same of a surface that is to have a slot. */
bool spawn_would_serve(const struct surface *surface, unsigned workers, unsigned worker,
                       uint32_t slot);
bool spawn_serves(const struct surfaces *surfaces, unsigned worker, uint32_t slot);
/* Whether there is such state in this worker. */
bool spawn_keeps_state(const struct surfaces *surfaces, unsigned worker);
