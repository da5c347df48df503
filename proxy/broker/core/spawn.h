/* Starts a worker: which surfaces it serves, and with which descriptors. */
#pragma once

#include "broker/core/surfaces.h"

#include <sys/types.h>

/* argv[0..2] of the program that becomes a worker; the broker appends the rest. */
#define SPAWN_WORKER_VERB "worker"
/* Further arguments: the slots of the listeners, those of the configuration's surfaces ("0,0,1"),
 * and how many connections there may be. */
#define SPAWN_ARGUMENTS 3
/* Descriptors a worker finds open beside 0 to 2: its channel, the configuration, its listeners. */
#define SPAWN_CHANNEL_FD  3
#define SPAWN_CONFIG_FD   4
#define SPAWN_LISTENER_FD 5

/* What a worker is given; the descriptors stay the caller's. */
struct spawn_descriptors {
    int channel, config;
    int errors; /* the end of a pipe that takes what it says; non-blocking, so that it never waits
                 */
};

/*
 * Nothing of the operator's terminal goes along: 0 and 1 are /dev/null, the process has a session
 * of its own, no environment, and the root as its directory.
 */
enum error spawn_worker(const struct surfaces *surfaces, unsigned worker,
                        const struct spawn_descriptors *given, pid_t *out) MUST_CHECK;

/*
 * Whether this worker listens for a surface. Between the requests of MCP over
 * HTTP there is state (which session opened which MCP session, what waits for an
 * answer), and it lives in one process: such a surface has one worker. All others
 * have every worker.
 */
/* The same of a surface that is to have a slot. */
bool spawn_would_serve(const struct surface *surface, unsigned workers, unsigned worker,
                       uint32_t slot);
bool spawn_serves(const struct surfaces *surfaces, unsigned worker, uint32_t slot);
/* Whether there is such state in this worker. */
bool spawn_keeps_state(const struct surfaces *surfaces, unsigned worker);
