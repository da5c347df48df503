/* Another process than this one, and what it found out of its own fences (system/proof.h). */
#pragma once

#include "system/proof.h"

/* `proof.tried` 0: it has said nothing, or there is none. All zero at first. */
struct proven {
    pid_t pid;
    struct proof proof;
};

/* What it says, with the descriptor, which is kept until the next, or the end. */
void proven_take(struct proven *process, const struct proof *proof);
void proven_drop(struct proven *process);
