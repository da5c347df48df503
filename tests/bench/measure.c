#include "measure.h"

#include "client.h"

#include <stdio.h>
#include <string.h>

bool measure_begin(struct measure *measure, const struct usage_processes *processes)
{
    memset(measure, 0, sizeof *measure);
    measure->processes = processes;
    measure->began_ns = client_now_ns();
    return usage_read(processes, &measure->began);
}

void measure_add(struct measure *measure, uint64_t since_ns)
{
    uint64_t latency_us = (client_now_ns() - since_ns) / 1000;
    measure->count++;
    measure
        ->latency_us[latency_us < MEASURE_LATENCY_US_MAX ? latency_us : MEASURE_LATENCY_US_MAX]++;
}

/* The latency that `share` of them did not exceed. */
static unsigned percentile(const struct measure *measure, double share)
{
    unsigned long wanted = (unsigned long)((double)measure->count * share);
    unsigned long seen = 0;
    for (unsigned i = 0; i < MEASURE_LATENCY_US_MAX; i++) {
        seen += measure->latency_us[i];
        if (seen > wanted) {
            return i;
        }
    }
    return MEASURE_LATENCY_US_MAX;
}

bool measure_end(const struct measure *measure, const char *prefix)
{
    struct usage ended;
    double wall_ns = (double)(client_now_ns() - measure->began_ns);
    double wait_ns = 0;
    double most_ns = 0;
    if (!usage_read(measure->processes, &ended)) {
        return false;
    }
    double cpu_ns = usage_cpu_between(measure->processes, &measure->began, &ended);
    for (size_t i = 0; i < measure->processes->count; i++) {
        double one_ns = (double)(ended.cpu_ns[i] - measure->began.cpu_ns[i]);
        wait_ns += (double)(ended.wait_ns[i] - measure->began.wait_ns[i]);
        most_ns = one_ns > most_ns ? one_ns : most_ns;
    }
    if (measure->processes->count > 0) {
        (void)printf("%scpu_us=%.3f %swait_share=%.4f %sbusiest=%.4f ", prefix,
                     cpu_ns / (double)measure->count / 1000, prefix, wait_ns / wall_ns, prefix,
                     cpu_ns > 0 ? most_ns / cpu_ns : 0);
    }
    (void)printf("%sp50_us=%u %sp99_us=%u %srate=%.0f ", prefix, percentile(measure, 0.50), prefix,
                 percentile(measure, 0.99), prefix, (double)measure->count * 1e9 / wall_ns);
    return true;
}
