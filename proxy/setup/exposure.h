/*
 * Whether a service that listens by itself, at an address of loopback, is the gate's alone as far
 * as that can be: in a network namespace that is not the machine's own, with a port that is open at
 * none of its other addresses. The launcher asks the same again and again (supervise/neighbour.h).
 */
#pragma once

#include "config/config.h"

#include <sys/socket.h>

#define EXPOSURE_PATIENCE_MS 300 /* a kernel answers itself at once; one that drops never does */

/* Of a surface with a "tcp" upstream: the namespace, and its devices. ERROR_DENIED with one
 * sentence, which names the remedy. */
enum error exposure_check(const struct surface *surface, char why[WHY_SIZE]) MUST_CHECK;
/* And its port at the other addresses, by connecting, for as long as that at most. Not of a parent
 * that has its fences: it may dial nobody, and the launcher asks before anybody is served. */
enum error exposure_knock(const struct config *config, const struct surface *surface,
                          char why[WHY_SIZE]) MUST_CHECK;

/* As socket addresses are: that of such a service, and its bytes. */
socklen_t exposure_address(const struct listen_address *from, struct sockaddr_storage *out);

/* The sentences of what is found: somebody who answers at `where` (NULL: it could not be found
 * out), a device that takes packets for loopback, or of which that is not known, unless the
 * namespace is `shared`. ERROR_DENIED. */
enum error exposure_tell(const struct listen_address *service, const char *where,
                         char why[WHY_SIZE]);
enum error exposure_look_devices(const struct listen_address *service, bool shared,
                                 char why[WHY_SIZE]) MUST_CHECK;
