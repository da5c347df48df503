/* How numbers are written for Prometheus: text exposition format 0.0.4. */
#pragma once

#include "base/buffer.h"
#include "base/histogram.h"

struct metric {
    const char *name;
    const char *type;   /* "gauge", "counter" or "histogram" */
    const char *labels; /* their names: "surface, quota"; NULL: none */
    const char *help;
};

/* Before the values of each. */
void exposition_header(struct buffer *out, const struct metric *metric);
/* `labels`: `surface="studio"`; "": none. */
void exposition_number(struct buffer *out, const struct metric *metric, const char *labels,
                       uint64_t value);
/* Microseconds, as seconds. */
void exposition_duration(struct buffer *out, const struct metric *metric, const char *labels,
                         uint64_t value_us);
void exposition_histogram(struct buffer *out, const struct metric *metric, const char *labels,
                          const struct histogram *histogram);
