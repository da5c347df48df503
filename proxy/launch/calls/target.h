/*
 * Looking into a process of the tree that waits for the answer to a question: its memory, its
 * descriptors, where it stands. Whoever looks needs the right to trace it (ptrace(2),
 * PTRACE_MODE_ATTACH_REALCREDS): in the tree's user namespace, CAP_SYS_PTRACE gives it whatever
 * the process did to itself.
 *
 * What was read is the process's word, and it may have ended meanwhile: question_lives() says
 * whether what was read was its. Where these fail, errno says why.
 */
#pragma once

#include "base/error.h"

#include "launch/common/ports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A copy of a thread's descriptor, the same open file (pidfd_getfd(2)); -1. */
int target_descriptor(pid_t thread, int descriptor);

bool target_closes_on_exec(pid_t thread, int descriptor);

/* Copies exactly `length` bytes of its memory. */
enum error target_copy(pid_t thread, uint64_t address, void *out, size_t length) MUST_CHECK;

/* Writes exactly `length` bytes into it. */
enum error target_write(pid_t thread, uint64_t address, const void *bytes,
                        size_t length) MUST_CHECK;

/* Copies what is there up to a NUL, which must be within `size` bytes. */
enum error target_copy_text(pid_t thread, uint64_t address, char *out, size_t size) MUST_CHECK;

/* Its name, comm of proc(5); "" if it has none any more. */
void target_name(pid_t thread, char out[PORT_PROGRAM_SIZE]);

/* As whom it makes files (credentials(7)). */
enum error target_user(pid_t thread, uid_t *uid, gid_t *gid) MUST_CHECK;
/* Whether a signal waits for it, or for its process, that it does not block. */
bool target_is_signalled(pid_t thread);

/* As whom it names a file, and how. */
#define TARGET_GROUPS_MAX 64
struct target_view {
    int root, directory; /* O_PATH; the caller's */
    mode_t umask;
    uid_t uid; /* of the file system */
    gid_t gid;
    gid_t groups[TARGET_GROUPS_MAX];
    size_t group_count;
    uint64_t capabilities; /* effective */
};
enum error target_see(pid_t thread, struct target_view *out) MUST_CHECK;
