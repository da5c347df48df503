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
    int way_in;      /* into the tree's control group (tree_group.h); -1: there is none */
    uint32_t limits; /* which fences that holds */
    bool user_namespace;
    bool record; /* somebody learns what it does */
};

/*
 * What it says on its channel: that the filter is loaded, its listener beside it; then, with
 * somebody answering, what it found out of its fences, and execve comes next. Another time, or
 * instead, only if something failed.
 */
struct leader_word {
    uint32_t step;
    int32_t error;      /* errno */
    struct proof proof; /* in the second; its descriptor is beside it, if it could be opened */
};

/* Waits for a byte on `channel` first. Never returns. */
_Noreturn void leader_run(const struct leader_options *options, int channel);
