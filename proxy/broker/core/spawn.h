/* Starts a worker: which surfaces it serves, and with which descriptors. */
#ifndef SIDELOCK_BROKER_SPAWN_H
#define SIDELOCK_BROKER_SPAWN_H

#include "broker/broker.h"

#include <sys/types.h>

struct spawn_options {
    const struct broker *broker;
    unsigned worker;           /* its index */
    int channel_fd, config_fd; /* stay the caller's */
};
enum error spawn_worker(const struct spawn_options *options, pid_t *out) MUST_CHECK;

/*
 * Whether this worker listens for a surface. Between the requests of MCP over
 * HTTP there is state (which session opened which MCP session, what waits for an
 * answer), and it lives in one process: such a surface has one worker. All others
 * have every worker.
 */
bool spawn_serves(const struct config *config, unsigned worker, size_t surface);

#endif
