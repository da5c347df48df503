/*
 * Who is at the other end of an accepted loopback TCP connection: the uid that
 * owns the peer's socket, from one exact sock_diag question (sock_diag(7)).
 * The netlink socket is opened once, before the sandbox closes.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <sys/socket.h>

struct caller_lookup {
    int fd; /* the netlink socket */
    uint32_t sequence;
};

enum error caller_lookup_create(struct caller_lookup **out) MUST_CHECK;
void caller_lookup_destroy(struct caller_lookup *lookup);

/*
 * The uid behind the peer of a connected TCP socket. ERROR_NOT_FOUND when the
 * kernel has no such socket, or has it no longer: the peer has closed.
 */
enum error caller_uid(struct caller_lookup *lookup, int connected_fd, uint32_t *uid) MUST_CHECK;
/* The same, and the inode of that socket: /proc/PID/fd/N of whoever holds it is "socket:[INODE]".
 */
enum error caller_socket(struct caller_lookup *lookup, int connected_fd, uint32_t *uid,
                         uint32_t *inode) MUST_CHECK;
/* Whose the socket is that listens at a TCP address, and its inode. ERROR_NOT_FOUND: nobody does.
 */
enum error caller_listener(struct caller_lookup *lookup, const struct sockaddr *address,
                           uint32_t *uid, uint32_t *inode) MUST_CHECK;
