/*
 * What a service may write, where that is limited, and what it must not reach by that: what it may
 * execute at its next start, and the gate's own files. Each of these may lie read-only or hidden
 * beneath, but whoever may write a directory above can move that away, and make another.
 */
#pragma once

#include "launch/common/command.h"
#include "setup/bundle.h"
#include "setup/programs.h"

/* Links are refused: what a service can write it could put one in the place of. */
enum error writable_find(const struct surface_command *from, struct text_list *out,
                         struct service_fault *fault) MUST_CHECK;

/* Of whom: a service, all of whose lists are found; where a session's record is to say what is
 * started, without arguments and directory. */
struct writer {
    const struct surface_command *from;
    const struct command *command;
    const struct programs *programs;
    const struct environment *environment;
};

/*
 * A service of another user is held by the owners of files and directories, which are looked at
 * wherever they are trusted. ERROR_INVALID with a fault.
 */
enum error writable_check(const struct config_bundle *bundle, const struct writer *writer,
                          struct service_fault *fault) MUST_CHECK;

/*
 * The same for the programs of another surface's service, `name`: it runs them with what it holds,
 * which may be more.
 */
enum error writable_check_other(const struct command *command, const struct programs *programs,
                                const struct environment *environment, const char *name,
                                struct service_fault *fault) MUST_CHECK;

/* The directory above `path` in whose place the service has an empty one of its own; NULL. */
const char *writable_replaces(const struct command *command, const char *path);
