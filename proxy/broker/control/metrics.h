/* The gate's counters in the Prometheus text exposition format 0.0.4. */
#ifndef SIDELOCK_BROKER_CONTROL_METRICS_H
#define SIDELOCK_BROKER_CONTROL_METRICS_H

#include "broker/operations/operation.h"

void metrics_append(struct buffer *out, const struct gate *gate, size_t sessions_active,
                    int64_t now);

#endif
