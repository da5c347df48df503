/*
 * Sockets of the host's network, for a process whose main thread has left it: a thread that
 * stayed makes them. A network namespace is a thread's (unshare(2)); going back is not for
 * those who own only their user namespace.
 */
#pragma once

#include "base/error.h"

struct outside {
    int channel; /* to the thread */
};

/* Before the calling thread leaves the namespace. The thread has no capability and never ends. */
enum error outside_start(struct outside *outside) MUST_CHECK;

/* As socket(2); closed on exec. -1: errno says why. */
int outside_socket(const struct outside *outside, int family, int type, int protocol);
