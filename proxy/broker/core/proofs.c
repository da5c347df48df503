#include "broker/core/proofs.h"

#include "broker/core/service_fences.h"
#include "broker/core/workers.h"

#include <stdio.h>
#include <unistd.h>

enum { PARENT, BROKER, STARTER, LAUNCHER, LOOKER, FIRST_WORKER };

static size_t count_own(const struct gate *gate)
{
    return FIRST_WORKER + (gate->workers != NULL ? gate->surfaces.config->workers : 0);
}

size_t proofs_count(const struct gate *gate)
{
    return count_own(gate) + gate->surfaces.count;
}

/* Of a service that is launched, and runs. */
static bool find_service(const struct surface_state *surface, struct proofs_process *out)
{
    *out = (struct proofs_process){.pid = surface->service.pid,
                                   .landlock = surface->service.program.proof.landlock};
    snprintf(out->name, sizeof(out->name), "service %s", surface->config->name);
    return service_fences_judge(surface, &out->found);
}

bool proofs_at(const struct gate *gate, size_t index, struct proofs_process *out)
{
    const struct {
        const char *name;
        const struct proof *proof;
        pid_t pid;
        uint32_t promised;
    } rows[FIRST_WORKER] = {
        [PARENT] = {"parent", &gate->parent_proof, gate->pid, FENCES_PARENT},
        [BROKER] = {"broker", &gate->proof, getpid(), FENCES_BROKER},
        [STARTER] = {"starter", &gate->starter.proof, gate->starter.pid, FENCES_STARTER},
        [LAUNCHER] = {"launcher", &gate->launcher.proof, gate->launcher.pid, FENCES_LAUNCHER},
        [LOOKER] = {"looker", &gate->looker.proof, gate->looker.pid, FENCES_LOOKER},
    };
    const struct proof *proof = NULL;
    uint32_t promised = 0;

    if (index >= count_own(gate))
        return find_service(gate->surfaces.live[index - count_own(gate)], out);
    *out = (struct proofs_process){.pid = 0};
    if (index < FIRST_WORKER) {
        proof = rows[index].proof;
        promised = rows[index].promised;
        out->pid = rows[index].pid;
        snprintf(out->name, sizeof(out->name), "%s", rows[index].name);
    } else {
        unsigned worker = (unsigned)(index - FIRST_WORKER);

        proof = workers_proof(gate->workers, worker, &out->pid);
        promised = FENCES_WORKER;
        snprintf(out->name, sizeof(out->name), "worker %u", worker);
    }
    if (proof == NULL || proof->tried == 0)
        return false;
    out->landlock = proof->landlock;
    proof_judge(proof, out->pid, promised, &out->found);
    return true;
}

void proofs_lacking(const struct gate *gate, char out[PROOFS_LACKING_SIZE])
{
    static const char *const names[] = {"parent",   "broker", "starter",
                                        "launcher", "looker", "workers"};
    uint32_t lacking[sizeof(names) / sizeof(names[0])] = {0};
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count_own(gate); i++) {
        struct proofs_process process;

        if (proofs_at(gate, i, &process))
            lacking[i < FIRST_WORKER ? i : FIRST_WORKER] |=
                process.found.missing | process.found.unknown;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char fences[FENCE_NAMES_SIZE];

        if (lacking[i] != 0)
            length += (size_t)snprintf(out + length, PROOFS_LACKING_SIZE - length, "%s%s: %s",
                                       length > 0 ? "; " : "", names[i],
                                       fence_kinds_print(lacking[i], fences));
    }
}
