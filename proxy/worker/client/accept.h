/* The listeners: who is calling, is there room, a connection is born. */
#pragma once

#include "system/caller.h"
#include "worker/client/secure.h"

struct accept {
    struct worker *worker;
    const struct secure *secure;
    struct caller_lookup *callers;
    struct door *doors; /* the listeners */
    size_t connection_max;
    bool open;
};

/* One more listener, still shut; its descriptor is taken over. */
enum error accept_add(struct accept *accept, int fd, uint32_t surface) MUST_CHECK;
/* Lets clients in, or not for now; nobody while the worker drains or lacks a certificate. */
void accept_open(struct accept *accept, bool open);
/* Closes the listeners. */
void accept_stop(struct accept *accept);
/* Once the loop has ended, and with it the connections, which know where they came in. */
void accept_release(struct accept *accept);
