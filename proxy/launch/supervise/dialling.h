/* One connection to a port of a tree, until it is connected. Used by life.c and neighbour.c. */
#pragma once

#include "launch/tree.h"

/* `done` is called once (launch/dials.h), perhaps in this call; a socket it is given is connected.
 */
/* The same of a socket that is connecting, taken over. */
void dialling_finish(uv_loop_t *loop, int fd, dial_done *done, void *data);
void dialling_begin(uv_loop_t *loop, struct tree *tree, uint16_t port, dial_done *done, void *data);
