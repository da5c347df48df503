#include "base/histogram.h"

#define NS_PER_US 1000

const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS] = {100,    250,    500,     1000,    2500,
                                                        5000,   10000,  25000,   50000,   100000,
                                                        250000, 500000, 1000000, 2500000, 10000000};

void histogram_note(struct histogram *histogram, uint64_t took_ns)
{
    uint64_t took_us = took_ns / NS_PER_US;
    size_t at = 0;

    while (at < HISTOGRAM_BOUNDS && took_us > histogram_bounds_us[at])
        at++;
    histogram->buckets[at]++;
    histogram->sum_us += took_us;
}

void histogram_add(struct histogram *histogram, const struct histogram *more)
{
    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        histogram->buckets[i] += more->buckets[i];
    histogram->sum_us += more->sum_us;
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
        count += histogram->buckets[i];
    return count;
}
