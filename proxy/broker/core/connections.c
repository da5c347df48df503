/*
 * A balanced tree by worker and number (tsearch), and a walk over it for a worker that ended, or
 * for a session's workers; beside it another of how many each session and each surface has, so that
 * nobody walks to count.
 */
#include "broker/core/connections.h"

#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 65536 /* in all workers */

_Static_assert(CONFIG_WORKERS_MAX <= 32, "a bit for each worker");

static int compare(const void *one, const void *other)
{
    const struct connection_entry *a = one, *b = other;

    if (a->worker.generation != b->worker.generation)
        return a->worker.generation < b->worker.generation ? -1 : 1;
    return a->connection < b->connection ? -1 : a->connection > b->connection;
}

/* How many a session has, or (with a surface) a surface. */
struct tally {
    const struct surface_state *surface; /* NULL: it is a session's */
    char session_id[TOKEN_ID_SIZE];
    size_t count;
};

static int compare_tallies(const void *one, const void *other)
{
    const struct tally *a = one, *b = other;

    if (a->surface != b->surface)
        return (uintptr_t)a->surface < (uintptr_t)b->surface ? -1 : 1;
    return strcmp(a->session_id, b->session_id);
}

static struct tally of_session(const char *session_id)
{
    struct tally tally = {.surface = NULL};

    snprintf(tally.session_id, sizeof(tally.session_id), "%s", session_id);
    return tally;
}

static size_t count(const struct connections *connections, struct tally wanted)
{
    struct tally *const *node = tfind(&wanted, &connections->tallies, compare_tallies);

    return node != NULL ? (*node)->count : 0;
}

static enum error count_up(struct connections *connections, struct tally wanted)
{
    struct tally *made, **node = tfind(&wanted, &connections->tallies, compare_tallies);

    if (node == NULL) {
        made = malloc(sizeof(*made));
        if (made == NULL)
            return ERROR_MEMORY;
        *made = wanted;
        node = tsearch(made, &connections->tallies, compare_tallies);
        if (node == NULL) {
            free(made);
            return ERROR_MEMORY;
        }
    }
    (*node)->count++;
    return OK;
}

static void count_down(struct connections *connections, struct tally wanted)
{
    struct tally **node = tfind(&wanted, &connections->tallies, compare_tallies);
    struct tally *tally = node != NULL ? *node : NULL;

    if (tally == NULL || --tally->count > 0)
        return;
    tdelete(tally, &connections->tallies, compare_tallies);
    free(tally);
}

static enum error count_entry(struct connections *connections, const struct connection_entry *entry)
{
    enum error error = count_up(connections, (struct tally){.surface = entry->surface});

    if (error != OK)
        return error;
    error = count_up(connections, of_session(entry->session_id));
    if (error != OK)
        count_down(connections, (struct tally){.surface = entry->surface});
    return error;
}

static void uncount_entry(struct connections *connections, const struct connection_entry *entry)
{
    count_down(connections, (struct tally){.surface = entry->surface});
    count_down(connections, of_session(entry->session_id));
}

void connections_clear(struct connections *connections)
{
    tdestroy(connections->root, free);
    tdestroy(connections->tallies, free);
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
    return OK;
}

struct connection_entry *connections_find(const struct connections *connections,
                                          struct incarnation worker, uint64_t connection)
{
    const struct connection_entry wanted = {.worker = worker, .connection = connection};
    struct connection_entry *const *node = tfind(&wanted, &connections->root, compare);

    return node != NULL ? *node : NULL;
}

void connections_remove(struct connections *connections, struct connection_entry *entry)
{
    tdelete(entry, &connections->root, compare);
    uncount_entry(connections, entry);
    free(entry);
    connections->count--;
}

/* What is looked for on a walk. */
struct search {
    uint64_t generation;             /* a worker's entries, */
    struct connection_entry **found; /* which go in here; */
    size_t count;
    const char *session_id; /* or a session's workers, */
    uint32_t holders;       /* a bit each */
};

static void visit_worker(const void *node, VISIT order, void *context)
{
    struct connection_entry *entry = *(struct connection_entry *const *)node;
    struct search *search = context;

    if ((order == postorder || order == leaf) && entry->worker.generation == search->generation)
        search->found[search->count++] = entry;
}

void connections_remove_worker(struct connections *connections, struct incarnation worker,
                               connections_visit *removed, void *context)
{
    static struct connection_entry *found[CONNECTIONS_MAX]; /* too many for the stack */
    struct search search = {.generation = worker.generation, .found = found};

    twalk_r(connections->root, visit_worker, &search);
    for (size_t i = 0; i < search.count; i++) {
        removed(context, found[i]);
        connections_remove(connections, found[i]);
    }
}

static void visit_session(const void *node, VISIT order, void *context)
{
    const struct connection_entry *entry = *(const struct connection_entry *const *)node;
    struct search *search = context;

    if ((order == postorder || order == leaf) && strcmp(entry->session_id, search->session_id) == 0)
        search->holders |= UINT32_C(1) << entry->worker.worker;
}

uint32_t connections_holders(const struct connections *connections, const char *session_id)
{
    struct search search = {.session_id = session_id};

    if (connections_of_session(connections, session_id) > 0)
        twalk_r(connections->root, visit_session, &search);
    return search.holders;
}

size_t connections_of_surface(const struct connections *connections,
                              const struct surface_state *surface)
{
    return count(connections, (struct tally){.surface = surface});
}

size_t connections_of_session(const struct connections *connections, const char *session_id)
{
    return count(connections, of_session(session_id));
}
