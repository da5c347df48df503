/* Who waits until a service has been started again. All but the first struct is services.c's. */
#pragma once

#include "broker/core/surfaces.h"

#include <uv.h>

#define SERVICES_RESTART_MS 45000 /* until a service that is started again must be served */

/*
 * A service is to end and to be started again. `done` is called once, perhaps in this call: when
 * the next one is served, or with ERROR_STATE and why it is not. The caller's memory until then.
 */
struct services_restart {
    struct surface_state *surface; /* in force, launched and not killed */
    void (*done)(struct services_restart *restart, enum error error, const char *why);
    void *context; /* of the caller */
    bool gone;     /* nothing is left of the one before */
    uint64_t until_ms;
    struct services_restart *next;
};

/* In the order in which they were asked for. Its handle is closed with the loop. */
struct service_restarts {
    struct services_restart *first;
    uv_timer_t patience;
};

void service_restarts_init(struct service_restarts *restarts, uv_loop_t *loop);
void service_restarts_add(struct service_restarts *restarts, struct services_restart *restart);
/* Nothing is left of the one before; of that of any surface (NULL). */
void service_restarts_pass(struct service_restarts *restarts, struct surface_state *surface);
/* Those who can be told are. */
void service_restarts_tell(struct service_restarts *restarts);
/* The broker ends: all are told. */
void service_restarts_stop(struct service_restarts *restarts);
