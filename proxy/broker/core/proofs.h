/*
 * Which fences each process of the gate, and each launched service, has in force now, asked of the
 * kernel and of what the processes found out when theirs closed: what `status` and the register
 * say.
 */
#pragma once

#include "broker/core/gate.h"

#define PROOFS_NAME_SIZE (sizeof("service ") + CONFIG_NAME_BYTES_MAX)

struct proofs_process {
    char name[PROOFS_NAME_SIZE]; /* "parent", "broker", "launcher", "worker 0", "service studio" */
    pid_t pid;
    unsigned landlock; /* its version; 0: none */
    struct proof_found found;
};

#define PROOFS_LACKING_SIZE (6 * (FENCE_NAMES_SIZE + PROOFS_NAME_SIZE))

/*
 * Those of the gate's own that are not known to hold: "broker: truncate; workers: truncate,
 * signals", the workers' taken together; "": all hold.
 */
void proofs_lacking(const struct gate *gate, char out[PROOFS_LACKING_SIZE]);

/* Parent, broker, what launches services, the places of its workers, and all surfaces. */
size_t proofs_count(const struct gate *gate);
/* One of them; false: none lives there, or it has not said anything yet. Of a service the process
 * id is its tree's, what is found its program's. */
bool proofs_at(const struct gate *gate, size_t index, struct proofs_process *out);
