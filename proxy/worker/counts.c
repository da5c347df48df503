#include "worker/counts.h"

#include <string.h>

bool counts_tell(struct worker *worker, uint32_t surface)
{
    static const struct quota_counts nothing;
    static const struct histogram no_time;
    struct surface_counts *counts = &worker->surfaces[surface];
    struct quota_counts *felt = quotas_counts(worker->quotas, surface);
    const struct ipc_counts told = {.surface = surface,
                                    .forwarded = counts->forwarded,
                                    .refused = counts->refused,
                                    .denied = counts->denied,
                                    .requests = counts->requests,
                                    .service = counts->service,
                                    .quotas = *felt};

    if (counts->forwarded == 0 && counts->refused == 0 && counts->denied == 0 &&
        counts->requests == 0 && memcmp(&counts->service, &no_time, sizeof(no_time)) == 0 &&
        memcmp(felt, &nothing, sizeof(nothing)) == 0)
        return true;
    if (!worker_tell(worker, IPC_COUNTS, &told))
        return false;
    counts->forwarded = counts->refused = counts->denied = counts->requests = 0;
    counts->service = no_time;
    *felt = (struct quota_counts){0};
    return true;
}

void counts_tell_all(struct worker *worker)
{
    for (uint32_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        (void)counts_tell(worker, i);
}
