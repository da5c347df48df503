/*
 * What a set of processes has used: on-CPU time of all their threads, and
 * resident memory. Read from outside, so that nothing is added to what is
 * measured.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define USAGE_PROCESSES_MAX 32

struct usage_processes {
    pid_t pids[USAGE_PROCESSES_MAX];
    size_t count;
};

/* Parses "12,34"; false if it is not such a list or too long. */
bool usage_parse(const char *text, struct usage_processes *out);

/* So far, of each of them. */
struct usage {
    uint64_t cpu_ns[USAGE_PROCESSES_MAX];  /* on a processor, user and kernel, all threads */
    uint64_t wait_ns[USAGE_PROCESSES_MAX]; /* ready to run, but something else had its processor:
                                              the main thread */
};

/* False if a process is gone. */
bool usage_read(const struct usage_processes *processes, struct usage *out);

/* Nanoseconds on a processor between the two, of all of them. */
double usage_cpu_between(const struct usage_processes *processes, const struct usage *before,
                         const struct usage *after);

/* Resident bytes, summed; false if a process is gone. */
bool usage_resident_bytes(const struct usage_processes *processes, uint64_t *out);
