/* One connection to a port of a tree or a neighbour, until it is connected. Used by asking.c,
 * life.c and neighbour.c. */
#pragma once

#include "config/config.h"
#include "launch/tree.h"

#define DIALLING_PATIENCE_MAX_MS 60000 /* more is no surface's upstream_timeout_ms */

struct dialling;

/* Those that are not connected yet, of one loop. */
struct diallings {
    uv_loop_t *loop;
    struct dialling *first;
};

struct dialling_order {
    struct diallings *all;
    /* Called once (launch/dials.h), perhaps in this call; a socket it is given is connected. */
    dial_done *done;
    void *data;
    uint32_t patience_ms; /* for whoever listens to take it; then EAGAIN */
};

/* The surface's; NULL: the longest. */
uint32_t dialling_patience_ms(const struct surface *surface);
/* Of a socket that is connecting, taken over. */
void dialling_finish(const struct dialling_order *order, int fd);
void dialling_begin(const struct dialling_order *order, struct tree *tree, uint16_t port);
/* Those that only the other end can finish: each `done` is called with ECONNRESET. */
void dialling_end_all(struct diallings *all);
