/*
 * What the broker gives up: it holds the keys, so what takes it over is to get no further. Its
 * parent opens and spawns for it (ipc/errand.h); it keeps its database and its log, connects to
 * services, and answers its workers.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * From now on this thread, and those that it starts, change files in these directories alone, and
 * execute none; they look into no process from outside (landlock(7)). *held is false where the
 * kernel knows no Landlock.
 */
enum error fence_files(const char *const *directories, size_t count, bool *held) MUST_CHECK;

/*
 * From now on no thread of this process executes a program, starts or looks into another process,
 * maps code, binds, listens, or makes a socket that is not a Unix socket or for questions to the
 * kernel about sockets (seccomp(2)): EPERM, as for every call that is not known to be needed.
 */
enum error fence_calls(void) MUST_CHECK;
