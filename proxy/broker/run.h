/* The broker as a whole: what `sidelock serve` starts. */
#ifndef SIDELOCK_BROKER_RUN_H
#define SIDELOCK_BROKER_RUN_H

#include "config/config.h"

/* argv[0..2] of the program that becomes a worker; the broker appends the rest. */
#define BROKER_WORKER_VERB "worker"
/* Descriptors a worker finds open: its channel, the configuration, its listeners. */
#define BROKER_WORKER_CHANNEL_FD  3
#define BROKER_WORKER_CONFIG_FD   4
#define BROKER_WORKER_LISTENER_FD 5

struct broker_options {
    const struct config *config; /* borrowed */
    const char *config_path;     /* borrowed */
    int config_fd;               /* the same configuration, for workers; borrowed */
    int ready_fd;                /* -1: nobody asked */
};

/* Runs until SIGTERM or SIGINT. Returns a sysexits code. */
int broker_run(const struct broker_options *options);

#endif
