/* Who hears of the worker processes, and how long they may take: for workers.h. */
#pragma once

#include "broker/core/gate.h"
#include "ipc/messages.h"

#define WORKER_PATIENCE_MS       10000 /* one that takes nothing of what waits for so long is ended */
#define WORKER_RESTART_DELAY_MS  100   /* so that one that cannot start does not spin */
#define WORKER_MESSAGES_PER_TURN 32    /* of one, before all others have their turn */

/* What a worker said, in one message. */
struct workers_message {
    enum ipc_state state; /* how far it has come */
    const void *bytes;
    size_t length;
    int fd; /* that came along; -1: none. Not the listener's: it is closed afterwards */
};
/* Takes it; ERROR_SYNTAX if the worker may not say so, which ends it. */
typedef enum error workers_listener(struct gate *gate, struct incarnation from,
                                    const struct workers_message *message);
/* A worker has ended: what it asked is to be forgotten. */
typedef void workers_mourner(struct gate *gate, struct incarnation worker);

/* All borrowed. */
struct workers_options {
    struct gate *gate; /* connections of a worker that ended are removed */
    workers_listener *listen;
    workers_mourner *forget;
    void (*on_ready)(void *context);   /* once, when all are */
    void (*on_drained)(void *context); /* after workers_drain(), when the last one has gone */
    void *context;                     /* of these two */
};
