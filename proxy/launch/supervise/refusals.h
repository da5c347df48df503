/*
 * What a service asked for and was refused, told to the operator in the log: each file that may
 * not be executed or loaded once, for some programs look for the same one again and again, and each
 * address that may not be connected to; and once that there were more of them than are told; and
 * which of its limits it reached.
 */
#pragma once

#include "launch/tree.h"

#include <stdbool.h>

#define REFUSALS_MAX       32 /* of each of the two that are told of */
#define REFUSALS_TEXT_SIZE (EXECUTION_SHOWN_SIZE + 16)

struct refusals_told {
    char texts[REFUSALS_MAX][REFUSALS_TEXT_SIZE];
    size_t count;
    bool more; /* it was told that there are more */
};

/* What was told. All zero at first. */
struct refusals {
    struct refusals_told files, addresses;
};

/* Another process begins: all is told again. */
void refusals_forget(struct refusals *refusals);

/*
 * `name` is the surface's; `at_terminal` as in struct lives: what would permit it is named so.
 * What whoever keeps the audit log is to be told as well, with the path "" for what is not told;
 * NULL: nothing.
 */
const struct refusal *refusals_tell(struct refusals *refusals, const char *name, bool at_terminal,
                                    const struct refusal *refusal);
