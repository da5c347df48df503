/* How the process itself does: told to the broker now and then. */
#pragma once

#include "base/histogram.h"
#include "worker/client/process.h"

struct pulse {
    uint64_t due_ns;           /* when the worker's tick is to come; 0: the first is still to */
    struct histogram loop_lag; /* since it was told last */
};

/* The tick, which comes each `interval_ms`. */
void pulse_note(struct pulse *pulse, uint64_t interval_ms);
/* *strays, which the broker then knows, becomes 0. */
void pulse_tell(struct pulse *pulse, struct worker *worker, uint64_t *strays);
