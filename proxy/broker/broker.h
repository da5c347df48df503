/* The broker as a whole: what `sidelock serve` starts. */
#pragma once

#include "setup/bundle.h"

struct broker_options {
    struct config_bundle *bundle; /* what it serves by, sealed; borrowed, and changed by a reload */
    int ready_fd;                 /* -1: nobody asked */
};

/* Runs until SIGTERM or SIGINT. Returns a sysexits code. */
int broker_run(const struct broker_options *options);
