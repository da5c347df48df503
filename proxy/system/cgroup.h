/*
 * The control group that the gate was given (cgroups(7), version 2): where what a service may use
 * is counted and limited, the whole tree of it at once.
 *
 *     BASE                  delegated to the gate: by systemd (Delegate=), or as CGROUP_MARK says
 *     BASE/sidelock-gate    the gate's own processes; the kernel wants none in BASE itself then
 *     BASE/tree-…           one for each tree that has limits (launch/keeper/tree_group.h)
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_GATE       "sidelock-gate"
#define CGROUP_MARK       "user.delegate" /* an extended attribute of the directory, "1" */
#define CGROUP_PATH_SIZE  4096
#define CGROUP_LINE_BYTES 8192 /* of what the kernel says of one mount or group */

/*
 * Moves this process to where the gate's own are, and has BASE limit memory and processes. To be
 * called before any other is started. ERROR_NOT_FOUND: none is delegated; else `why` says what the
 * kernel refused, as what follows on "the control group".
 */
enum error cgroup_prepare(char why[WHY_SIZE]) MUST_CHECK;

/* BASE of the gate that this process is of. False: there is none. */
bool cgroup_base(char out[CGROUP_PATH_SIZE]);
/* Which of FENCE(MEMORY) and FENCE(PROCESSES) it holds for its trees. */
uint32_t cgroup_fences(void);

/* ---- What the kernel writes, read without asking it ---- */

/* Of /proc/PID/cgroup: the path in the hierarchy of version 2. False: in none. */
bool cgroup_read_own(const char *text, char out[CGROUP_PATH_SIZE]);

struct cgroup_mount {
    bool unified; /* of version 2 */
    char root[CGROUP_PATH_SIZE], path[CGROUP_PATH_SIZE];
};

/* A line of /proc/PID/mountinfo. False: it is no hierarchy's mount. */
bool cgroup_read_mount(const char *line, struct cgroup_mount *out);
/* Where a group is below such a mount. False: it is not. */
bool cgroup_place(const struct cgroup_mount *mount, const char *group, char out[CGROUP_PATH_SIZE]);
/* Whether the word is among those of a line, as of cgroup.controllers. */
bool cgroup_has_word(const char *line, const char *word);
/* Of "low 0\nmax 3\n": that of the name; 0: there is none. */
uint64_t cgroup_count(const char *text, const char *name);

/* ---- Its files ---- */

/* Of a file in the directory `at`, with its NUL. */
enum error cgroup_read_file(int at, const char *name, char *out, size_t size) MUST_CHECK;
enum error cgroup_write_file(int at, const char *name, const char *text) MUST_CHECK;
