#include "worker/pulse.h"

#include <time.h>

#define NS_PER_MS UINT64_C(1000000)

void pulse_note(struct pulse *pulse, uint64_t interval_ms)
{
    uint64_t now_ns = uv_hrtime();

    if (pulse->due_ns != 0)
        histogram_note(&pulse->loop_lag, now_ns > pulse->due_ns ? now_ns - pulse->due_ns : 0);
    pulse->due_ns = now_ns + interval_ms * NS_PER_MS;
}

static uint64_t cpu_us(void)
{
    struct timespec used = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

void pulse_tell(struct pulse *pulse, struct worker *worker, uint64_t *strays)
{
    const struct ipc_vitals vitals = {
        .cpu_us = cpu_us(), .strays = *strays, .loop_lag = pulse->loop_lag};

    if (!worker_tell(worker, IPC_VITALS, &vitals))
        return;
    pulse->loop_lag = (struct histogram){.sum_us = 0};
    *strays = 0;
}
