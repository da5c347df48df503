/* What is counted, for Prometheus: one table, of which sidelock-metrics(7) is made. */
#pragma once

#include "broker/operations/operation.h"

struct metric {
    const char *name;
    const char *type;   /* "gauge" or "counter" */
    const char *labels; /* their names: "surface, quota"; NULL: none */
    const char *help;
};

extern const struct metric metrics[];
extern const size_t metric_count;

/* Prometheus text exposition format 0.0.4. */
void control_metrics(struct buffer *out, const struct gate *gate, size_t sessions_active,
                     int64_t now);
