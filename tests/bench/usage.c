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

static bool read_cpu(pid_t pid, uint64_t *out)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) {
        return false;
    }
    *out = (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
    return true;
}

/* The second number of /proc/PID/NAME; false if the process is gone. */
static bool read_second_field(pid_t pid, const char *name, uint64_t *out)
{
    char path[64];
    char line[128];
    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const char *second = fgets(line, sizeof line, file) != NULL ? strchr(line, ' ') : NULL;
    (void)fclose(file);
    if (second == NULL) {
        return false;
    }
    *out = strtoull(second, NULL, 10);
    return true;
}

bool usage_read(const struct usage_processes *processes, struct usage *out)
{
    for (size_t i = 0; i < processes->count; i++) {
        if (!read_cpu(processes->pids[i], &out->cpu_ns[i]) ||
            !read_second_field(processes->pids[i], "schedstat", &out->wait_ns[i])) {
            return false;
        }
    }
    return true;
}

double usage_cpu_between(const struct usage_processes *processes, const struct usage *before,
                         const struct usage *after)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < processes->count; i++) {
        sum += after->cpu_ns[i] - before->cpu_ns[i];
    }
    return (double)sum;
}

bool usage_resident_bytes(const struct usage_processes *processes, uint64_t *out)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < processes->count; i++) {
        uint64_t pages;
        if (!read_second_field(processes->pids[i], "statm", &pages)) {
            return false;
        }
        sum += pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    *out = sum;
    return true;
}
