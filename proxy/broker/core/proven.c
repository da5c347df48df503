#include "broker/core/proven.h"

#include <unistd.h>

void proven_drop(struct proven *process)
{
    if (process->proof.tried != 0 && process->proof.status >= 0)
        close(process->proof.status);
    process->proof = (struct proof){.status = -1};
}

void proven_take(struct proven *process, const struct proof *proof)
{
    proven_drop(process);
    process->proof = *proof;
}
