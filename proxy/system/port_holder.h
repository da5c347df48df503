/*
 * Who listens on a TCP port of this host, as far as the kernel tells this user: for a sentence.
 * Called by listener.c when a port is taken.
 */
#pragma once

#include <sys/socket.h>

#define PORT_HOLDER_SIZE 128

/*
 * "; it is held by uid N, process P (NAME)" for an address that is taken, the process only where
 * this user may look into it. "" if nobody is found.
 */
void port_holder_tell(const struct sockaddr *address, char out[PORT_HOLDER_SIZE]);
