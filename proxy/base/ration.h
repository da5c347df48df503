/*
 * How much of what a service writes is put into a log: a leaky bucket, so that neither waits for
 * the other. What is too much is counted and left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATION_BURST_BYTES      (256 * 1024) /* a long trace, whole */
#define RATION_BYTES_PER_SECOND (16 * 1024)
#define RATION_LINE_COST        32 /* bytes that a line counts beside its own */

/* What has been spent by all that ran under one name, one after the other. All zero at first. */
struct ration {
    uint64_t spent, seen_ms;
    uint64_t lost; /* bytes left out that the log has not told of */
};

/* A line of so many bytes, at a time that only grows. True: it is paid, and is to be written. */
bool ration_pay(struct ration *ration, size_t length, uint64_t now_ms);
