#include "broker/core/proofs.h"

#include "broker/core/workers.h"

#include <stdio.h>
#include <unistd.h>

enum { PARENT, BROKER, FIRST_WORKER };

size_t proofs_count(const struct gate *gate)
{
    return FIRST_WORKER + (gate->workers != NULL ? gate->surfaces.config->workers : 0);
}

bool proofs_at(const struct gate *gate, size_t index, struct proofs_process *out)
{
    const struct proof *proof = index == PARENT ? &gate->parent_proof : &gate->proof;
    uint32_t promised = index == PARENT ? FENCES_PARENT : FENCES_BROKER;

    *out = (struct proofs_process){.pid = index == PARENT ? gate->pid : getpid()};
    snprintf(out->name, sizeof(out->name), "%s", index == PARENT ? "parent" : "broker");
    if (index >= FIRST_WORKER) {
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
    static const char *const names[] = {"parent", "broker", "workers"};
    uint32_t lacking[] = {0, 0, 0};
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < proofs_count(gate); i++) {
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
