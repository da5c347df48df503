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

/* On-CPU time so far, user and kernel, summed; false if a process is gone. */
bool usage_cpu_ns(const struct usage_processes *processes, uint64_t *out);

/*
 * Time so far that they were ready to run and something else had their
 * processor, summed over their main threads; false if a process is gone.
 */
bool usage_wait_ns(const struct usage_processes *processes, uint64_t *out);

/* Resident bytes, summed; false if a process is gone. */
bool usage_resident_bytes(const struct usage_processes *processes, uint64_t *out);
