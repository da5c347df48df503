/* What is counted, for Prometheus: one table, of which sidelock-metrics(7) is made. */
#pragma once

#include "broker/core/gate.h"
#include "broker/telemetry/exposition.h"

extern const struct metric metrics[];
extern const size_t metric_count;

/* All of it; of surfaces those that are in force, so that there are no more than those. */
void metrics_write(struct buffer *out, const struct gate *gate, size_t sessions_active,
                   int64_t now);
