/* The broker as a whole: what the parent, `sidelock serve`, starts. */
#pragma once

#include "setup/bundle.h"

struct broker_options {
    struct config_bundle *bundle; /* what it serves by, sealed; borrowed, and changed by a reload */
    int files_fd, workers_fd;     /* the channels to the parent (ipc/errand.h); taken over */
    int ready_fd;                 /* -1: nobody asked */
    const char *lockdown;         /* "file", "signal": begins by killing all; NULL: it does not */
};

/* Runs until the parent says to stop. Returns a sysexits code. */
int broker_run(const struct broker_options *options);
