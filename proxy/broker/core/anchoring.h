/*
 * Keeps the head of the audit log in the store, so that neither its end can be cut off nor all
 * of it be written anew (system/audit_line.h): after so many lines or seconds, whichever is
 * first, and at the end. The file and the anchor are written to disk by the store's thread.
 */
#pragma once

#include "broker/core/gate.h"

struct anchoring {
    struct gate *gate;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uint64_t anchored; /* number of the line that was given to the store last */
    bool under_way;
};

/* On the gate's loop, which closes the handles. */
void anchoring_start(struct anchoring *anchoring, struct gate *gate);
/* Now, whatever is under way: the file is about to be another, or the gate to end. */
void anchoring_now(struct gate *gate);
