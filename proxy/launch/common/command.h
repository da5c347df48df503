/*
 * What is to be run: program, arguments, environment, and as whom. It travels from the
 * parent to the spawner in a sealed memfd, because an environment may be larger than a
 * message, and because secrets in it must be in no argument list.
 *
 * Packed: a header, then each string with its NUL: the directory, the arguments, the
 * environment, what is hidden, executables, libraries, what is writable. What is unpacked points
 * into those bytes.
 */
#pragma once

#include "base/error.h"

#include "launch/common/reach.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_BYTES_MAX       (2u << 20) /* as much as the kernel takes of arguments by default */
#define COMMAND_STRINGS_MAX     8192u
#define COMMAND_GROUPS_MAX      64u
#define COMMAND_EXECUTABLES_MAX 256u
#define COMMAND_WRITABLE_MAX    64u
#define COMMAND_LISTENERS       64u /* listeners a tree may have at once, if nobody says otherwise */

struct command {
    char **arguments;   /* ends with NULL; the first is looked for in the environment's PATH */
    char **environment; /* ends with NULL; nothing else is handed on */
    const char *directory;
    /*
     * Ends with NULL: what the service must not find, because it could ask it to run anything:
     * an empty directory of its own, or nothing at all, lies over each that is there.
     */
    char **hidden;
    /*
     * Each ends with NULL. The programs that may be executed, with all that the kernel needs to
     * start them, as paths without links; none, or NULL: anything may. Where there are some, code
     * is loaded from the system's libraries and from the directories `libraries` alone.
     */
    char **executables, **libraries;
    /* Only root can switch. */
    bool switch_user;
    uint32_t uid, gid;
    uint32_t groups[COMMAND_GROUPS_MAX];
    uint32_t group_count;
    /* What is made by memfd_create can never be executed (MFD_NOEXEC_SEAL, kernel 6.3). */
    bool seal_memfds;
    uint32_t listeners_max; /* at most PORTS_MAX; 0: COMMAND_LISTENERS */
    /* Nothing can be written but these files and directories (keeper/writes.h); ends with NULL. */
    bool limit_writes;
    char **writable;
    struct reach reach; /* where it may connect to in the host's network */
    /* Fences without which it is not to run, if a trial finds them missing (system/fence_kind.h).
     */
    uint32_t required;
    /* What the tree may use; 0: as much as there is. A control group holds it
     * (keeper/tree_group.h), of processes a limit in the tree's user namespace besides. */
    uint32_t memory_mib, processes;
};

/* `out` is a memfd of the caller's that nobody can change any more. */
enum error command_pack(const struct command *command, int *out) MUST_CHECK;

/*
 * Reads what command_pack() wrote: `bytes` stay the caller's and must outlive `out`, whose
 * lists command_clear() frees. ERROR_SYNTAX, ERROR_LIMIT: not a packed command.
 */
enum error command_unpack(char *bytes, size_t length, struct command *out) MUST_CHECK;
void command_clear(struct command *command);

/* Where systems have their libraries; those that are links, or are not there, count once. */
#define COMMAND_LIBRARIES 9
extern const char *const command_libraries[COMMAND_LIBRARIES];
/* Directories for what is temporary; ends with NULL. */
extern const char *const command_private[];
/* Whether this one of them is the tree's own: writes are limited, and it names nothing there. */
bool command_has_own(const struct command *command, const char *directory);
