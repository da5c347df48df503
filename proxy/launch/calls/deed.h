/*
 * A call carried out as the process that made it would have: from its root and its directory,
 * with its umask, as its user. A child of the keeper's does it, on a copy of the socket, with
 * what was read of the call once; so nothing that another thread changes meanwhile counts.
 */
#pragma once

#include "base/error.h"

#include "launch/calls/execution.h"
#include "launch/calls/question.h"
#include "launch/common/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DEEDS_MAX 32 /* under way at once */

struct deed_row {
    pid_t child;
    struct question question;
    char path[EXECUTION_SHOWN_SIZE]; /* of an execution */
};

struct deeds {
    struct deed_row rows[DEEDS_MAX];
    size_t count;
};

/* What is to be done. */
struct deed {
    int socket;
    const union address *address; /* bind to it; NULL: listen */
    socklen_t length;
    int backlog;
    const struct execution *execution; /* judge it, and nothing else; with the keeper's rights */
};

/* An errno where it cannot even begin. */
int deed_begin(struct deeds *deeds, const struct question *question, const struct deed *deed);

/* Some child has ended: if it did a deed, that one is taken out; else false. */
bool deed_take(struct deeds *deeds, pid_t child, struct deed_row *out);
