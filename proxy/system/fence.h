/*
 * Which system calls the broker, the launcher and the looker give up. The broker holds the keys, so
 * what takes it over is to get no further. Its parent opens and spawns for it (ipc/errand.h); it
 * keeps its database and its log, connects to services, and answers its workers. Which files it
 * changes is landlock.h's.
 */
#pragma once

#include "base/error.h"

/*
 * Before a loop of libuv is made. A ring of io_uring carries system calls past every filter, so
 * there must be none when one closes: libuv from 1.45 on makes one if it can, ends the process if
 * it may not enter that, and does without if the kernel seems not to know them.
 */
enum error fence_without_rings(void) MUST_CHECK;

/*
 * From now on no thread of this process executes a program, starts or looks into another process,
 * maps code, binds, listens, changes a file's mode or owner, or makes a socket that is not a Unix
 * socket or for questions to the kernel about sockets (seccomp(2)): EPERM, as for every call that
 * is not known to be needed.
 */
enum error fence_calls(void) MUST_CHECK;

/*
 * The same for the launcher, which changes no file at all. It connects by TCP, to see whether a
 * service's port is anybody's on this host, and looks into the descriptors of processes.
 */
enum error fence_launcher_calls(void) MUST_CHECK;

/*
 * The same for the looker, which opens files to read them, lists folders and speaks on the socket
 * that it has; nothing else.
 */
enum error fence_looker_calls(void) MUST_CHECK;
