/* The broker as a whole: what `sidelock serve` starts. */
#pragma once

#include "config/config.h"

struct broker_options {
    const struct config *config; /* borrowed */
    int config_fd;               /* the same configuration, for workers; borrowed */
    int ready_fd;                /* -1: nobody asked */
};

/* Runs until SIGTERM or SIGINT. Returns a sysexits code. */
int broker_run(const struct broker_options *options);
