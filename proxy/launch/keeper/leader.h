/*
 * The first process of a service, between fork and execve: it gives up what the service is not
 * to have, loads the filter and hands its listener to the keeper.
 */
#pragma once

#include "base/error.h"

#include "launch/common/command.h"
#include "launch/common/step.h"
#include "system/proof.h"

#include <stdint.h>

enum { STANDARD_COUNT = 3 };

/* What the first process does itself instead of becoming a program; its exit code. */
typedef int leader_program(void);

struct leader_options {
    const struct command *command;
    leader_program *program;      /* NULL: the command's */
    int standard[STANDARD_COUNT]; /* -1: /dev/null */
    bool user_namespace;
    bool record; /* somebody learns what it does */
};

enum { LEADER_LISTENER, LEADER_STATUS, LEADER_DESCRIPTORS };

/* What it says on its channel: once with these descriptors beside it; another time only if
 * something failed. */
struct leader_word {
    uint32_t step;
    int32_t error;      /* errno; 0: the filter is loaded and execve comes next */
    struct proof proof; /* of its fences; its descriptor is beside it, if it could be opened */
};

/* Waits for a byte on `channel` first. Never returns. */
_Noreturn void leader_run(const struct leader_options *options, int channel);
