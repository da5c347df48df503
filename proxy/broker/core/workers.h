/*
 * The worker processes: started, listened to, told, replaced when they die.
 * What they say goes to whoever was named for it.
 */
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
    int config_fd;     /* holds the configuration for them */
    workers_listener *listen;
    workers_mourner *forget;
    void (*on_ready)(void *context);   /* once, when all are */
    void (*on_drained)(void *context); /* after workers_drain(), when the last one has gone */
    void *context;                     /* of these two */
};
/* Starts config->workers of them. */
enum error workers_create(const struct workers_options *options, struct workers **out) MUST_CHECK;
/* Kills what still runs. */
void workers_destroy(struct workers *workers);

/* A worker is sandboxed and accepts. */
void workers_take_ready(struct workers *workers, struct incarnation from);
/* Reaps children after SIGCHLD. */
void workers_reap(struct workers *workers);
/* Asks all to say goodbye to their clients and exit. */
void workers_drain(struct workers *workers);
/* How many had to be replaced. */
uint64_t workers_restarts(const struct workers *workers);

/*
 * Tells the very process that asked what became of its question, a VERDICT or a LINK; if it
 * has gone, nobody. Takes `fd` (-1: none) over.
 */
void workers_answer(struct workers *workers, struct incarnation to, enum ipc_type type,
                    const void *message, int fd);

/* What every worker is told is in force within 100 ms. */
/*
 * Closes the live connections of a session (NULL: every session) with a reason's close code.
 * Told to those that hold some, or may keep MCP sessions of it; the others never hear of it.
 */
void workers_cut_session(struct workers *workers, const char *session_id, enum reason reason);
/* Closes every live connection of a surface. */
void workers_cut_surface(struct workers *workers, const struct surface_state *surface,
                         enum reason reason);
/*
 * The session's live connections end at `expires_at` (seconds since the epoch). Told to those
 * that hold some.
 */
void workers_extend_session(struct workers *workers, const char *session_id, int64_t expires_at);
/* One more of the surface's listeners. ERROR_IO: it cannot be given on. */
enum error workers_send_listener(struct workers *workers, const struct surface_state *surface,
                                 const struct surface_listener *listener) MUST_CHECK;
/* What surfaces speak TLS with from now on. */
void workers_send_certificates(struct workers *workers);
