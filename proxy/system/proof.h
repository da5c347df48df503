/*
 * Which fences are in force, never by what was meant to be: each process tries, before its fences
 * close and after, what they are to refuse, and says what was; what the kernel shows of a process
 * (proc_pid_status(5)) is read when somebody asks, from a descriptor that the process has opened
 * itself, so that it is that process's, and to be had where /proc hides it.
 */
#pragma once

#include "base/error.h"
#include "system/fence_kind.h"
#include "system/landlock.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What a process found out. A bit for each fence. */
struct proof {
    int status;        /* of /proc/self/status; -1: it could not be opened */
    uint32_t landlock; /* its version; 0: none */
    uint32_t tried;    /* so that it says something when it is refused */
    uint32_t refused;  /* of these */
};

/*
 * Closes those of these fences that are Landlock's, but for the places (landlock.h); tries all of
 * them before and after. The descriptor in what was found out is the caller's.
 */
enum error proof_hold(uint32_t fences, const struct landlock_place *places, size_t count,
                      struct proof *out) MUST_CHECK;
/*
 * The same in pieces, of a process whose fences close one after the other: these are tried before;
 * these again, now that they are closed; and it is told. A trial that has begun is ended.
 */
struct proof_trial {
    struct proof proof;
    int abstract; /* a socket with an abstract name, which others would have; -1: none */
};
void proof_begin(struct proof_trial *trial, uint32_t fences);
void proof_try(struct proof_trial *trial, uint32_t fences);
void proof_end(struct proof_trial *trial, struct proof *out);
/* Says in the log which of these fences this kernel lacks. `whose`: "the broker". */
void proof_log_lacking(const struct proof *proof, uint32_t fences, const char *whose);

/* Whether the descriptor can be one that was meant for `status`. */
bool proof_is_status(int fd);

struct proof_found {
    uint32_t held, missing, unknown;
    unsigned filters;        /* seccomp's; 0: none, or the kernel does not say */
    uint64_t resident_bytes; /* of memory; 0: the kernel does not say */
};

/*
 * What is in force now, of the process `pid`: of those that it promises, each is in one of the
 * three; what holds though nobody promised it is said, too.
 */
void proof_judge(const struct proof *proof, pid_t pid, uint32_t promised, struct proof_found *out);
