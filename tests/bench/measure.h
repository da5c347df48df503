/*
 * One measurement: the clocks before and after, the latencies between, and the line
 * that is printed of them.
 */
#pragma once

#include "usage.h"

#include <stdbool.h>
#include <stdint.h>

#define MEASURE_LATENCY_US_MAX 100000 /* longer ones count as this */

struct measure {
    const struct usage_processes *processes; /* borrowed */
    struct usage began;
    uint64_t began_ns;
    unsigned long count;
    uint32_t latency_us[MEASURE_LATENCY_US_MAX + 1]; /* a count for each microsecond */
};

/* Begins anew. False if a process is gone. */
bool measure_begin(struct measure *measure, const struct usage_processes *processes);

/* One thing more is done that began at that time of client_now_ns(). */
void measure_add(struct measure *measure, uint64_t since_ns);

/*
 * Ends it and prints name=value, each name after `prefix`: of the processes, if there are any, CPU
 * for each thing in microseconds, the share of the time that they waited for their
 * processor, and the busiest one's share of the CPU; latencies and things a second.
 * False if a process is gone.
 */
bool measure_end(const struct measure *measure, const char *prefix);
