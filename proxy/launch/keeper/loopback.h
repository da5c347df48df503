/*
 * The network of a fresh network namespace: `lo` is up, and every address of both families is
 * its own (rtnetlink(7), routes of type local), so that a service may bind the host's addresses.
 */
#pragma once

#include "base/error.h"

/* In the calling thread's namespace; needs CAP_NET_ADMIN there. Without IPv6 it is IPv4 alone. */
enum error loopback_raise(void) MUST_CHECK;
