/*
 * Where code can come from in a tree whose executables are named (command.h): while it is there,
 * what can be written cannot be executed or mapped as code, what can be executed cannot be written.
 * A directory above can still be moved away, and another made, which the next start would find:
 * what may be written has to leave those out (setup/writable.h). Every mount is made `noexec`;
 * islands in it are the system's directories of libraries, the command's own, and each file that
 * may be executed, all of them read-only. Programs among the libraries are none, because a loader
 * that may be executed would load them, whoever may execute them (ld.so(8)).
 *
 * Whoever makes mounts could make others: Landlock refuses it to a process that has rules for
 * files (landlock(7)); without it this is advisory.
 */
#pragma once

#include "base/error.h"

#include "launch/common/command.h"

/* In the tree's mount namespace. Nothing where anything may be executed. ERROR_IO: errno. */
enum error islands_make(const struct command *command) MUST_CHECK;
