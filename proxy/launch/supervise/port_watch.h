/*
 * Where a tree listens, and which port of it comes to be the one that is served: its ports are
 * asked for now and then, and whenever one comes. Embedded; everything happens in callbacks.
 */
#pragma once

#include "ipc/errand.h"
#include "launch/tree.h"

#include <uv.h>

#define PORT_WATCH_LIST_MS   5000 /* how often its ports are asked for */
#define PORT_WATCH_SETTLE_MS 50   /* a port that is there for so long was not just tried for */

/* Whose it is. */
struct port_watch_owner {
    bool (*fits)(void *data, const struct port *port); /* to be served, as it is now */
    void (*changed)(void *data);                       /* `ports` of the watch */
    void (*found)(void *data, uint16_t port);          /* one that fitted, and stays */
    void *data;
};

struct port_watch {
    struct port_watch_owner owner;
    struct tree *tree; /* NULL: there is none */
    char ports[ERRAND_PORTS_SIZE], listed[ERRAND_PORTS_SIZE];
    uint16_t candidate; /* that may come to be served; 0: none */
    bool listing;       /* its ports are being told */
    bool settling;      /* and the candidate is looked for among them */
    uv_timer_t lists, settles;
};

#define PORT_WATCH_HANDLES 2

void port_watch_init(struct port_watch *watch, uv_loop_t *loop,
                     const struct port_watch_owner *owner);
/* Closes its handles, whose `data` is the watch. */
void port_watch_close(struct port_watch *watch, uv_close_cb closed);

void port_watch_begin(struct port_watch *watch, struct tree *tree);
/* The tree has gone. */
void port_watch_end(struct port_watch *watch);
/* None is about to be found any more; what there is now is asked for. */
void port_watch_again(struct port_watch *watch);

/* Of the tree's events: `port` and `listed`. */
void port_watch_port(struct port_watch *watch, const struct port *port);
void port_watch_listed(struct port_watch *watch);
