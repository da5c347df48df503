/*
 * How slow a peer may be: a clock that its bytes pay for. Each byte moves it on by the time
 * that it may take, never beyond now. By how much the clock is behind says how much
 * longer than permitted the peer has taken, in drips or in silence.
 */
#pragma once

#include <stdint.h>

#define PACE_BYTES_PER_SECOND 256

/* The clock once so many bytes more have come or gone; times in milliseconds. */
static inline uint64_t pace_pay(uint64_t clock_ms, uint64_t now_ms, uint64_t bytes)
{
    uint64_t paid_ms = bytes * 1000 / PACE_BYTES_PER_SECOND;

    return now_ms - clock_ms < paid_ms ? now_ms : clock_ms + paid_ms;
}
