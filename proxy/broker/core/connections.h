/* The live connections of all workers, kept from what the broker granted and workers report. */
#pragma once

#include "base/hash.h"
#include "broker/core/surfaces.h"
#include "policy/token.h"
#include "system/peer.h"

/*
 * A worker process, not the place it takes: what one asked is no other's, and nothing that
 * it said outlives it.
 */
struct incarnation {
    unsigned worker;     /* its place, 0 to config->workers - 1 */
    uint64_t generation; /* counts all processes that were ever started: no two have the same */
};

/* What the broker knows of a connection itself: whatever is done for it is judged by this. */
struct connection_entry {
    struct incarnation worker; /* whose it is */
    uint64_t connection;       /* that worker's number for it; not 0 */
    uint64_t id;               /* for the log: no other has it while the broker lives */
    const struct surface_state *surface;
    const struct surface_listener *listener; /* that accepted it */
    bool caller_known;
    uint32_t caller_uid;
    char session_id[TOKEN_ID_SIZE]; /* under whose grant it is */
    char peer[INET6_ADDRSTRLEN];    /* whence it came; "": from this machine */
    bool spoken;                    /* the broker itself sent a request of it */
};

/* All zero is empty. */
struct connections {
    void *root;
    struct hash_table tallies;
    size_t held[CONFIG_WORKERS_MAX]; /* by the process that lives in each place */
    size_t count;                    /* by all of them */
    uint64_t last_id;
};

void connections_clear(struct connections *connections);
/*
 * Gives entry->id. ERROR_EXISTS: the worker has such a connection; ERROR_INVALID: number 0;
 * ERROR_LIMIT: workers that live hold as many as there may be.
 */
enum error connections_add(struct connections *connections,
                           struct connection_entry *entry) MUST_CHECK;
/* One that connections_find() found, of a worker that lives; freed. */
void connections_remove(struct connections *connections, struct connection_entry *entry);
typedef void connections_visit(void *context, const struct connection_entry *entry);
/*
 * A worker has ended: what it holds is in no other's way from now on. It goes little by little, and
 * until then is among a session's and a surface's. Before the next process in its place is granted
 * any.
 */
void connections_end_worker(struct connections *connections, struct incarnation worker);
/*
 * Takes away up to so many of those of a worker that has ended; each is shown before it goes.
 * Whether it took all of these, so that there may be more.
 */
bool connections_remove_ended(struct connections *connections, struct incarnation worker,
                              unsigned most, connections_visit *removed, void *context);
/* The live connection that this very worker calls so, or NULL. */
struct connection_entry *connections_find(const struct connections *connections,
                                          struct incarnation worker, uint64_t connection);
/*
 * The places of the workers that hold connections of a session, a bit each; also where a process
 * that has ended held some.
 */
uint32_t connections_holders(const struct connections *connections, const char *session_id);
/* The same of a surface. */
uint32_t connections_surface_holders(const struct connections *connections,
                                     const struct surface_state *surface);
/* Live connections of a surface, and of a session; looked up, not counted. */
size_t connections_of_surface(const struct connections *connections,
                              const struct surface_state *surface);
size_t connections_of_session(const struct connections *connections, const char *session_id);
