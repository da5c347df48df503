/*
 * A call carried out as the process that made it would have: from its root and its directory,
 * with its umask, as its user. A child of the keeper's does it, on a copy of the socket, with
 * what was read of the call once; so nothing that another thread changes meanwhile counts.
 */
#pragma once

#include "base/error.h"

#include "launch/calls/question.h"
#include "launch/common/address.h"

#include <stddef.h>
#include <sys/types.h>

#define DEEDS_MAX 32 /* under way at once */

struct deeds {
    struct {
        pid_t child;
        struct question question;
    } rows[DEEDS_MAX];
    size_t count;
};

/* What is to be done. */
struct deed {
    int socket;
    const union address *address; /* bind to it; NULL: listen */
    socklen_t length;
    int backlog;
};

/* The question is answered when the child has ended. An errno where it cannot even begin. */
int deed_begin(struct deeds *deeds, const struct question *question, const struct deed *deed);

/* Some child has ended: if it did a deed, its question is answered. */
void deed_ended(struct deeds *deeds, pid_t child, int status);
