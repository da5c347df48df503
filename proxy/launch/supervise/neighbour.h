/*
 * A service that listens by itself, beside the gate in one network namespace: nothing of it is
 * started or ended here. Its port is looked for at every address but loopback, again and again, and
 * it is served while nobody answers there; who listens is asked of the kernel for each connection.
 */
#pragma once

#include "ipc/errand.h"
#include "launch/supervise/dialling.h"
#include "launch/supervise/vacancy.h"
#include "setup/bundle.h"
#include "system/caller.h"
#include "system/trusted_path.h"

#define NEIGHBOUR_NAME_SIZE (CONFIG_NAME_BYTES_MAX + 1)
#define NEIGHBOUR_LOOK_MS   5000 /* how often it is looked whether the port is open elsewhere */
#define NEIGHBOUR_AGAIN_MS  100  /* until it is looked again after another began to listen */

struct neighbour;

/* What all of them share; borrowed. */
struct neighbours {
    struct diallings *diallings;        /* of the loop that it runs in */
    const struct config_bundle *bundle; /* in force */
    struct caller_lookup *lookup;       /* owned; NULL: there was none to be had yet */
    /* `state` and `why` are to be told. GONE: it is freed when this returns. */
    void (*changed)(void *context, struct neighbour *neighbour);
    void (*proven)(void *context, struct neighbour *neighbour); /* neighbour_prove() is done */
    void *context;
};

struct neighbour {
    struct neighbours *all;
    struct vacancy *vacancy;
    uv_timer_t timer;
    /* Where it listens, as it was when this began: by its name another configuration may mean what
     * has no address at all. */
    struct listen_address service; /* into the next two */
    char host[INET6_ADDRSTRLEN], text[VACANCY_ADDRESS_SIZE];
    union address address;
    struct trust trust;
    uint32_t dial_patience_ms;
    uint32_t slot;
    enum service_state state; /* STARTING: nothing is known of who listens; READY, EXPOSED */
    uint32_t looking, seen;   /* who listened when the look began; with whom the last one ended */
    uint16_t port;
    bool proof_asked;
    bool doubted; /* the last look could not be done */
    bool listens; /* of READY: somebody does, as the kernel says */
    bool shared;  /* the operator's word that nothing but containers of his is in this namespace */
    char name[NEIGHBOUR_NAME_SIZE];
    char why[WHY_SIZE]; /* of EXPOSED; of READY: who listens that is not to, that nobody does, or
                           that this is not known; "": all is proven */
};

/* ERROR_MEMORY; ERROR_INVALID: there is none of that name. */
enum error neighbour_begin(struct neighbours *all, uint32_t slot, const char *name,
                           struct neighbour **out) MUST_CHECK;
/* It is served no more: `changed` says GONE in this call. */
void neighbour_end(struct neighbour *neighbour);
/* The same, and nothing is told. */
void neighbour_drop(struct neighbour *neighbour);
/* Looks now: `proven` is called once. */
void neighbour_prove(struct neighbour *neighbour);
/*
 * A connection to it: `done` is called once, in this call or later, with a socket that is connected
 * to whoever may listen there, and did when it was looked last. ERRAND_STRANGER: somebody else
 * does; ECONNREFUSED: nobody does, or another does than was looked at, of whom nothing is known
 * yet.
 */
void neighbour_dial(struct neighbour *neighbour, dial_done *done, void *data);
