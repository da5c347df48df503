/* The Unix socket under the control API: where it lies, who may speak. */
#ifndef SIDELOCK_BROKER_CONTROL_SOCKET_H
#define SIDELOCK_BROKER_CONTROL_SOCKET_H

#include "config/config.h"

/*
 * Binds and listens at config->control_socket, non-blocking and close-on-exec.
 * Mode 0600 from the first moment; 0666 if the configuration names operators,
 * who could not connect otherwise: control_socket_permits() then decides alone.
 * ERROR_EXISTS: somebody answers there already; ERROR_INVALID: the path is too
 * long, or something other than a socket is there; ERROR_IO. Logs what went wrong.
 */
enum error control_socket_listen(const struct config *config, int *out) MUST_CHECK;

/* Whether the process at the other end of a connection may operate; *uid is its uid. */
bool control_socket_permits(const struct config *config, int fd, uint32_t *uid);

#endif
