#include "usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool usage_parse(const char *text, struct usage_processes *out)
{
    out->count = 0;
    while (*text != '\0') {
        char *end;
        long pid = strtol(text, &end, 10);
        if (pid <= 0 || (*end != ',' && *end != '\0') || out->count == USAGE_PROCESSES_MAX) {
            return false;
        }
        out->pids[out->count++] = (pid_t)pid;
        text = *end == ',' ? end + 1 : end;
    }
    return out->count > 0;
}

bool usage_cpu_ns(const struct usage_processes *processes, uint64_t *out)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < processes->count; i++) {
        clockid_t clock;
        struct timespec time;
        if (clock_getcpuclockid(processes->pids[i], &clock) != 0 ||
            clock_gettime(clock, &time) != 0) {
            return false;
        }
        sum += (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
    }
    *out = sum;
    return true;
}

/* Sums the second number of /proc/PID/NAME; false if a process is gone. */
static bool sum_second_field(const struct usage_processes *processes, const char *name,
                             uint64_t *out)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < processes->count; i++) {
        char path[64];
        char line[128];
        (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)processes->pids[i], name);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            return false;
        }
        const char *second = fgets(line, sizeof line, file) != NULL ? strchr(line, ' ') : NULL;
        (void)fclose(file);
        if (second == NULL) {
            return false;
        }
        sum += strtoull(second, NULL, 10);
    }
    *out = sum;
    return true;
}

bool usage_wait_ns(const struct usage_processes *processes, uint64_t *out)
{
    return sum_second_field(processes, "schedstat", out);
}

bool usage_resident_bytes(const struct usage_processes *processes, uint64_t *out)
{
    uint64_t pages;
    if (!sum_second_field(processes, "statm", &pages)) {
        return false;
    }
    *out = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}
