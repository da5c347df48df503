/*
 * The namespaces of one tree, made from inside by its first process:
 *
 *     user     an ordinary user's own, in which there is nobody else; root needs none
 *     PID      whoever is in it ends with its first process (pid_namespaces(7))
 *     mount    /proc shows the tree alone; devices by which a process could make the keeper wait
 *              for it are hidden; terminals are its own
 *     IPC      System V's objects and message queues are the tree's, and end with it
 *     network  the first process's alone: the tree stays in the host's
 */
#pragma once

#include "base/error.h"

#include "launch/common/command.h"
#include "launch/common/step.h"
#include "launch/keeper/leader.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * clone3(2) into new user (if `user`), PID, mount and IPC namespaces. As fork(2); in the parent
 * *pidfd is the child's. ERROR_IO: errno says why.
 */
enum error nest_clone(bool user, pid_t *child, int *pidfd) MUST_CHECK;

/* In the child of a user namespace: it is who its parent was, `uid` and `gid`, and nobody else. */
enum error nest_map(uid_t uid, gid_t gid) MUST_CHECK;

/*
 * In the child: what it sees, and where code comes from (islands.h). Root's tree, which has no user
 * namespace, finds the kernel's own switches read-only (which of /proc: nest.c); control groups are
 * so to every tree. `standard` is what its first process is given. *step says what failed.
 */
enum error nest_mount(const struct command *command, const int standard[STANDARD_COUNT], bool user,
                      enum launch_step *step) MUST_CHECK;
