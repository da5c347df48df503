/*
 * The worker: the process that parses hostile bytes. It holds no key, opens no
 * file, dials nobody and starts nothing; what it needs it is handed, and after
 * sandbox_enter() the kernel sees to that.
 */
#pragma once

#include "base/error.h"
#include "config/config.h"

struct worker_listener {
    int fd;
    uint32_t surface; /* index into the configuration's surfaces */
};

struct worker_options {
    const struct config *config;             /* borrowed */
    const struct worker_listener *listeners; /* borrowed; their descriptors are taken over */
    size_t listener_count;
    int channel_fd; /* to the broker; taken over */
};

/* Runs until the broker says DRAIN or goes away. Returns a process exit code. */
int worker_run(const struct worker_options *options);
