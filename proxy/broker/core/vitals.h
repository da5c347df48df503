/*
 * How the processes of the gate do, and the listeners at which that can be read ("telemetry"): a
 * worker serves them, for what comes there is somebody else's bytes.
 */
#pragma once

#include "base/histogram.h"
#include "config/config.h"

#include <uv.h>

struct opener;

#define VITALS_ADDRESS_SIZE (CONFIG_SOCKET_BYTES_MAX + 1)

/* As it has said itself. */
struct worker_vitals {
    uint64_t cpu_us; /* of all its life */
    uint64_t strays; /* requests to the telemetry page that were no such; of all in its place */
    struct histogram loop_lag; /* likewise */
};

struct vitals {
    int listeners[2];
    size_t listener_count;                  /* 0: nobody may read it but operators */
    char addresses[2][VITALS_ADDRESS_SIZE]; /* "127.0.0.1:9464", "/run/sidelock/telemetry" */
    uint64_t asked_by; /* the worker process that waits for an answer, by its generation; 0: none */
    uint64_t told;     /* the one that was answered last, likewise */
    uint64_t told_ms;  /* when, by a clock that only goes on */
    uv_timer_t lag;
    uint64_t lag_due_ns;                              /* when the timer is to run */
    struct histogram loop_lag;                        /* of the broker's loop */
    struct worker_vitals workers[CONFIG_WORKERS_MAX]; /* by their places */
};

/* Whether the worker in this place serves those listeners. */
static inline bool vitals_serves(unsigned worker)
{
    return worker == 0;
}

/* Whether it may ask what is to be read there. */
static inline bool vitals_may_ask(const struct vitals *vitals, unsigned worker)
{
    return vitals_serves(worker) && vitals->listener_count > 0;
}

/*
 * Takes the listeners that the parent has, and measures the loop's lag from now on; whoever ends
 * the loop closes the timer. The log says what is wrong.
 */
enum error vitals_open(struct vitals *vitals, const struct config *config, struct opener *opener,
                       uv_loop_t *loop) MUST_CHECK;
void vitals_close(struct vitals *vitals);
