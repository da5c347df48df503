/* Connections to the tree's ports, from inside of the private namespace. */
#pragma once

#include "launch/common/ports.h"

#include <stdint.h>

/*
 * To what listens on the port (0: the first listener): a socket that does not block and is
 * connected or about to be; whoever gets it waits until it is writable and reads SO_ERROR.
 * 0 or an errno; ECONNREFUSED where nobody listens.
 */
int dial_port(struct ports *ports, uint32_t port, int *out);
