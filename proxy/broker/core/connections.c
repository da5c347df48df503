/*
 * A balanced tree by worker and number (tsearch); beside it a table of how many each session
 * and each surface has, and at which workers. Nobody walks over them: with all connections in it,
 * that would hold up the loop.
 */
#include "broker/core/connections.h"

#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 65536 /* in all workers */

_Static_assert(CONFIG_WORKERS_MAX <= 32, "a bit for each worker");

/* In this order all connections of a worker are one. */
static int compare_workers(const void *one, const void *other)
{
    const struct connection_entry *a = one, *b = other;

    if (a->worker.generation != b->worker.generation)
        return a->worker.generation < b->worker.generation ? -1 : 1;
    return 0;
}

static int compare(const void *one, const void *other)
{
    const struct connection_entry *a = one, *b = other;
    int order = compare_workers(one, other);

    if (order != 0)
        return order;
    return a->connection < b->connection ? -1 : a->connection > b->connection;
}

/* How many a session has, or (with a surface) a surface. */
struct tally {
    struct hash_entry entry;
    const struct surface_state *surface; /* NULL: it is a session's */
    char session_id[TOKEN_ID_SIZE];
    size_t count;
    uint32_t held[CONFIG_WORKERS_MAX]; /* of them, by the worker's place */
};

static uint64_t hash_of(const struct surface_state *surface, const char *session_id)
{
    return hash_text(hash_number((uintptr_t)surface), session_id);
}

/* Of a surface the session is "". */
static struct tally *find_tally(const struct connections *connections,
                                const struct surface_state *surface, const char *session_id)
{
    struct hash_entry *entry = hash_first(&connections->tallies, hash_of(surface, session_id));

    for (; entry != NULL; entry = hash_next(entry)) {
        struct tally *tally = HASH_OWNER(entry, struct tally, entry);

        if (tally->surface == surface && strcmp(tally->session_id, session_id) == 0)
            return tally;
    }
    return NULL;
}

static size_t count(const struct connections *connections, const struct surface_state *surface,
                    const char *session_id)
{
    const struct tally *tally = find_tally(connections, surface, session_id);

    return tally != NULL ? tally->count : 0;
}

static enum error count_up(struct connections *connections, const struct surface_state *surface,
                           const char *session_id, unsigned worker)
{
    struct tally *tally = find_tally(connections, surface, session_id);

    if (tally == NULL) {
        tally = calloc(1, sizeof(*tally));
        if (tally == NULL)
            return ERROR_MEMORY;
        tally->surface = surface;
        snprintf(tally->session_id, sizeof(tally->session_id), "%s", session_id);
        hash_add(&connections->tallies, &tally->entry, hash_of(surface, session_id));
    }
    tally->count++;
    tally->held[worker]++;
    return OK;
}

static void count_down(struct connections *connections, const struct surface_state *surface,
                       const char *session_id, unsigned worker)
{
    struct tally *tally = find_tally(connections, surface, session_id);

    if (tally == NULL)
        return;
    tally->held[worker]--;
    if (--tally->count > 0)
        return;
    hash_remove(&connections->tallies, &tally->entry);
    free(tally);
}

static enum error count_entry(struct connections *connections, const struct connection_entry *entry)
{
    unsigned worker = entry->worker.worker;
    enum error error = count_up(connections, entry->surface, "", worker);

    if (error != OK)
        return error;
    error = count_up(connections, NULL, entry->session_id, worker);
    if (error != OK)
        count_down(connections, entry->surface, "", worker);
    return error;
}

static void uncount_entry(struct connections *connections, const struct connection_entry *entry)
{
    count_down(connections, entry->surface, "", entry->worker.worker);
    count_down(connections, NULL, entry->session_id, entry->worker.worker);
}

void connections_clear(struct connections *connections)
{
    size_t bucket = 0;
    struct hash_entry *entry;

    tdestroy(connections->root, free);
    while ((entry = hash_any(&connections->tallies, &bucket)) != NULL) {
        hash_remove(&connections->tallies, entry);
        free(HASH_OWNER(entry, struct tally, entry));
    }
    hash_clear(&connections->tallies);
}

static enum error insert(struct connections *connections, const struct connection_entry *entry)
{
    struct connection_entry *copy = malloc(sizeof(*copy)), **node;

    if (copy == NULL)
        return ERROR_MEMORY;
    *copy = *entry;
    node = tsearch(copy, &connections->root, compare);
    if (node != NULL && *node == copy)
        return OK;
    free(copy);
    return node == NULL ? ERROR_MEMORY : ERROR_EXISTS;
}

enum error connections_add(struct connections *connections, struct connection_entry *entry)
{
    enum error error;

    if (entry->connection == 0)
        return ERROR_INVALID;
    if (connections->count == CONNECTIONS_MAX)
        return ERROR_LIMIT;
    error = count_entry(connections, entry);
    if (error != OK)
        return error;
    entry->id = connections->last_id + 1;
    error = insert(connections, entry);
    if (error != OK) {
        uncount_entry(connections, entry);
        return error;
    }
    connections->last_id++;
    connections->count++;
    connections->held[entry->worker.worker]++;
    return OK;
}

struct connection_entry *connections_find(const struct connections *connections,
                                          struct incarnation worker, uint64_t connection)
{
    const struct connection_entry wanted = {.worker = worker, .connection = connection};
    struct connection_entry *const *node = tfind(&wanted, &connections->root, compare);

    return node != NULL ? *node : NULL;
}

static void drop(struct connections *connections, struct connection_entry *entry)
{
    tdelete(entry, &connections->root, compare);
    uncount_entry(connections, entry);
    free(entry);
}

void connections_remove(struct connections *connections, struct connection_entry *entry)
{
    connections->count--;
    connections->held[entry->worker.worker]--;
    drop(connections, entry);
}

void connections_end_worker(struct connections *connections, struct incarnation worker)
{
    connections->count -= connections->held[worker.worker];
    connections->held[worker.worker] = 0;
}

bool connections_remove_ended(struct connections *connections, struct incarnation worker,
                              unsigned most, connections_visit *removed, void *context)
{
    const struct connection_entry wanted = {.worker = worker};

    for (; most > 0; most--) {
        struct connection_entry **node = tfind(&wanted, &connections->root, compare_workers);
        struct connection_entry *entry = node != NULL ? *node : NULL;

        if (entry == NULL)
            return false;
        removed(context, entry);
        drop(connections, entry);
    }
    return true;
}

static uint32_t places_of(const struct tally *tally)
{
    uint32_t places = 0;

    for (unsigned i = 0; tally != NULL && i < CONFIG_WORKERS_MAX; i++)
        places |= (uint32_t)(tally->held[i] > 0) << i;
    return places;
}

uint32_t connections_holders(const struct connections *connections, const char *session_id)
{
    return places_of(find_tally(connections, NULL, session_id));
}

uint32_t connections_surface_holders(const struct connections *connections,
                                     const struct surface_state *surface)
{
    return places_of(find_tally(connections, surface, ""));
}

size_t connections_of_surface(const struct connections *connections,
                              const struct surface_state *surface)
{
    return count(connections, surface, "");
}

size_t connections_of_session(const struct connections *connections, const char *session_id)
{
    return count(connections, NULL, session_id);
}
