#include "broker/telemetry/health.h"

#include "broker/core/workers.h"

unsigned health_workers(const struct gate *gate)
{
    unsigned up = 0;

    for (unsigned i = 0; i < gate->surfaces.config->workers; i++) {
        pid_t pid;

        if (workers_proof(gate->workers, i, &pid) != NULL)
            up++;
    }
    return up;
}

static bool is_killed(const struct surfaces *surfaces)
{
    for (size_t i = 0; i < surfaces->count; i++) {
        if (!surfaces->live[i]->killed)
            return false;
    }
    return true;
}

uint32_t health_look(const struct gate *gate)
{
    const struct config *config = gate->surfaces.config;
    const bool holds[UNREADY_COUNT] = {
        [UNREADY_KILLED] = is_killed(&gate->surfaces),
        [UNREADY_WORKERS] = health_workers(gate) < config->workers,
        [UNREADY_AUDIT] =
            config->on_audit_failure == AUDIT_FAILURE_DENY && audit_failing(gate->audit),
    };
    uint32_t unready = 0;

    for (unsigned i = 0; i < UNREADY_COUNT; i++)
        unready |= holds[i] ? UINT32_C(1) << i : 0;
    return unready;
}
