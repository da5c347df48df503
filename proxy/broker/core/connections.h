/* The live connections of all workers, kept from what the broker granted and workers report. */
#pragma once

#include "broker/core/surfaces.h"
#include "policy/token.h"

/*
 * A worker process, not the place it takes: what one asked is no other's, and nothing that
 * it said outlives it.
 */
struct incarnation {
    unsigned worker;     /* its place, 0 to config->workers - 1 */
    uint64_t generation; /* counts all processes that were ever started: no two have the same */
};

struct connection_entry {
    uint64_t id; /* unique while the broker lives */
    unsigned worker;
    const struct surface_state *surface;
    char session_id[TOKEN_ID_SIZE];
    bool spoken; /* the broker itself sent a request of it */
};

/* All zero is empty. */
struct connections {
    void *root, *tallies;
    size_t count;
};

void connections_clear(struct connections *connections);
enum error connections_add(struct connections *connections,
                           const struct connection_entry *entry) MUST_CHECK;
void connections_remove(struct connections *connections, uint64_t id);
void connections_remove_worker(struct connections *connections, unsigned worker);
/* The live connection with this id, or NULL. */
const struct connection_entry *connections_find(const struct connections *connections, uint64_t id);
/* Notes that the broker itself sends a request of this one; false if it did before. */
bool connections_speak(const struct connections *connections, uint64_t id);
/* Live connections of a surface, and of a session; looked up, not counted. */
size_t connections_of_surface(const struct connections *connections,
                              const struct surface_state *surface);
size_t connections_of_session(const struct connections *connections, const char *session_id);
