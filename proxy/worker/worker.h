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
    uint32_t surface; /* its slot, or CONFIG_SLOT_TELEMETRY */
};

/* Loads the configuration that the broker sends sealed (setup/bundle.h). */
typedef enum error worker_read_config(int fd, uint32_t self_uid, struct config **out);

struct worker_options {
    const struct config *config;             /* borrowed */
    const uint32_t *slots;                   /* of its surfaces, in their order; borrowed */
    size_t connections;                      /* that it may have, of all surfaces that may come */
    const struct worker_listener *listeners; /* borrowed; their descriptors are taken over */
    size_t listener_count;
    worker_read_config *read;
    int channel_fd; /* to the broker; taken over */
};

/* Runs until the broker says DRAIN or goes away. Returns a process exit code. */
int worker_run(const struct worker_options *options);
