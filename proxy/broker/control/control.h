/*
 * The control socket: HTTP/1.1 and JSON over a Unix socket, for `sidelock` and
 * for `curl --unix-socket`. Only the uid that runs Sidelock, root and the uids
 * of the configuration's `operators` are heard (SO_PEERCRED). Each connection
 * carries one request.
 */
#pragma once

#include "broker/operations/operation.h"

struct control;

/*
 * Binds the configuration's control_socket (0600; its directory is made, 0700, if
 * only the last part of it is missing) and serves it on the gate's loop. A socket
 * left behind by a dead process is replaced. ERROR_EXISTS: another process
 * answers there; the log says what is wrong otherwise.
 */
enum error control_create(struct gate *gate, struct control **out) MUST_CHECK;
/*
 * Closes and removes the socket. Not to be called from a callback of the loop:
 * it turns the loop a few times without blocking so that handles can close.
 */
void control_destroy(struct control *control);

/*
 * Binds and listens at config->control_socket, non-blocking and close-on-exec.
 * Mode 0600 from the first moment, with a list of the operators that the configuration
 * names; 0666 where the file system knows no such lists, and control_socket_permits()
 * then decides alone.
 * ERROR_EXISTS: somebody answers there already; ERROR_INVALID: the path is too
 * long, or something other than a socket is there; ERROR_IO. Logs what went wrong.
 */
enum error control_socket_listen(const struct config *config, int *out) MUST_CHECK;

/* Whether the process at the other end of a connection may operate; *uid is its uid. */
bool control_socket_permits(const struct config *config, int fd, uint32_t *uid);
