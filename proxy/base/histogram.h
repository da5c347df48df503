/*
 * How long something takes, by buckets that are the same everywhere: to note one is a look at a
 * table, an addition and an increment, without a lock; who adds up several processes adds numbers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS 15

/* The upper bounds, in microseconds. */
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS];

/* Numbers alone, so that it travels as a list of them. */
struct histogram {
    uint64_t buckets[HISTOGRAM_BOUNDS + 1]; /* each for itself; the last: beyond all bounds */
    uint64_t sum_us;
};
#define HISTOGRAM_NUMBERS (sizeof(struct histogram) / sizeof(uint64_t))

void histogram_note(struct histogram *histogram, uint64_t took_ns);
void histogram_add(struct histogram *histogram, const struct histogram *more);
uint64_t histogram_count(const struct histogram *histogram);
