/*
 * The life of one service: started, proven to be behind the gate alone, served, and started again
 * when it ends, until it is to end. Everything happens in callbacks of the loop.
 */
#pragma once

#include "ipc/errand.h"
#include "launch/launcher.h"
#include "launch/supervise/asking.h"
#include "launch/supervise/leaks.h"
#include "launch/supervise/output.h"
#include "launch/supervise/port_watch.h"
#include "launch/supervise/program.h"
#include "launch/supervise/refusals.h"
#include "setup/bundle.h"

#define LIFE_NAME_SIZE  (CONFIG_NAME_BYTES_MAX + 1)
#define LIFE_SETTLED_MS 30000 /* after so long being served, all is forgiven */
#define LIFE_LOOK_MS    5000  /* how often it is looked for listeners of its on this host */
#define LIFE_LOOK_SHARE 200   /* that takes no more than such a part of the time */

#define LIFE_LATE_PATIENCE_MS 5000 /* of one that is ended as it did not come to be ready */

#define LIFE_NEVER_RAN (-1)

struct life;

/* What all of them share; borrowed. */
struct lives {
    uv_loop_t *loop;
    struct diallings *diallings;
    struct launcher *launcher;
    const struct config_bundle *bundle; /* in force; may change between two starts */
    bool at_terminal;                   /* it is `sidelock wrap`'s, not a file of the operator's */
    /* Something is to be told of it. GONE: it is freed when this returns. */
    void (*changed)(void *context, struct life *life);
    void (*ports)(void *context, struct life *life);
    void (*fenced)(void *context, struct life *life); /* it runs; its proof is known */
    /* Nothing of its tree is left: the wait status, or (not "") why it never ran. */
    void (*exited)(void *context, struct life *life, int status, const char *failed);
    /* Something that it tried is to be in the audit log. */
    void (*refused)(void *context, uint32_t slot, const struct refusal *refusal);
    void (*seen)(void *context, struct life *life);   /* `sight` is another */
    void (*proven)(void *context, struct life *life); /* that life_prove() is done; `state` says */
    void (*lost)(void *context); /* the spawner has gone: nothing can be started any more */
    /* Of one that is `alone`: `status` as of waitpid(2), or LIFE_NEVER_RAN; it is not started
     * again. */
    void (*over)(void *context, const struct life *life, int status);
    void *context;
};

struct life {
    struct lives *lives;
    uint32_t slot;
    char name[LIFE_NAME_SIZE];
    enum service_state state;
    char why[WHY_SIZE]; /* of WAITING and EXPOSED, or what STARTING waits for; else "" */
    const int *alone; /* its standard descriptors, borrowed: it runs once; NULL: it is supervised */
    int status;       /* of the tree that ended last */
    pid_t pid;        /* of the tree's first process; 0: there is none */
    struct proof proof; /* of its program's fences, while there is one; the descriptor is its own */
    pid_t pid_inside;   /* which that is about */
    uint16_t port;      /* that is served, or being proven; 0: none yet */
    bool ending;
    bool answered;        /* what it has to, before it is served */
    bool late;            /* it did not: it is being ended, `why` says what for */
    uint64_t ready_by_ms; /* when it has to have, of the loop's clock; 0: it did not listen yet */
    bool proof_asked;
    struct tree *tree;
    struct vacancy *vacancy;
    struct asking *asking; /* whether it answers */
    struct output *output;
    struct ration ration;
    struct refusals refusals; /* since it started */
    unsigned failures;
    uint64_t ready_at_ms;
    uv_timer_t timer; /* until the next start, or the end of patience */
    uv_timer_t looks;
    struct port_watch watch;
    struct leaks_known known; /* when it was started */
    enum service_sight sight; /* that was told last */
    uint32_t uid;             /* as whom it runs */
    struct program program;   /* as it was when it was started */
    unsigned open_handles;
};

/* Starts it in this turn or soon; `alone` as in the struct. ERROR_MEMORY. */
enum error life_begin(struct lives *lives, uint32_t slot, const char *name, const int *alone,
                      struct life **out) MUST_CHECK;
/* SIGTERM, and after so long (0: at once) the end of all of it: then `changed` says GONE. */
void life_end(struct life *life, uint32_t patience_ms);

/* Looks again for what is looked for before it is served: `proven` is called once, perhaps in this
 * call. */
void life_prove(struct life *life);

/* Its tree is forgotten already (launcher_destroy); nothing is told any more. */
void life_drop(struct life *life);

/*
 * A connection to its port: `done` is called once (launch/dials.h), in this call or later. A socket
 * that it is given is connected.
 */
void life_dial(struct life *life, dial_done *done, void *data);
/* One that it was asked for was refused: it is not ready until somebody listens there again. */
void life_refused(struct life *life);
