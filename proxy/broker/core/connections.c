/*
 * A balanced tree by id (tsearch), and a walk over it for a worker that ended; beside it another of
 * how many each session and each surface has, so that nobody walks to count.
 */
#include "broker/core/connections.h"

#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 65536 /* in all workers */

static int compare(const void *one, const void *other)
{
    const struct connection_entry *a = one, *b = other;

    return a->id < b->id ? -1 : a->id > b->id;
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

enum error connections_add(struct connections *connections, const struct connection_entry *entry)
{
    enum error error;

    if (entry->id == 0)
        return ERROR_INVALID;
    if (connections->count == CONNECTIONS_MAX)
        return ERROR_LIMIT;
    error = count_entry(connections, entry);
    if (error != OK)
        return error;
    error = insert(connections, entry);
    if (error == OK)
        connections->count++;
    else
        uncount_entry(connections, entry);
    return error;
}

static struct connection_entry *find(const struct connections *connections, uint64_t id)
{
    const struct connection_entry wanted = {.id = id};
    struct connection_entry *const *node = tfind(&wanted, &connections->root, compare);

    return node != NULL ? *node : NULL;
}

const struct connection_entry *connections_find(const struct connections *connections, uint64_t id)
{
    return find(connections, id);
}

bool connections_speak(const struct connections *connections, uint64_t id)
{
    struct connection_entry *entry = find(connections, id);
    bool first = entry != NULL && !entry->spoken;

    if (first)
        entry->spoken = true;
    return first;
}

void connections_remove(struct connections *connections, uint64_t id)
{
    const struct connection_entry wanted = {.id = id};
    struct connection_entry **node = tfind(&wanted, &connections->root, compare), *entry;

    if (node == NULL)
        return;
    entry = *node;
    tdelete(entry, &connections->root, compare);
    uncount_entry(connections, entry);
    free(entry);
    connections->count--;
}

/* What a worker has, found on a walk. */
struct search {
    unsigned worker;
    uint64_t *ids;
    size_t count;
};

static void visit(const void *node, VISIT order, void *context)
{
    const struct connection_entry *entry = *(const struct connection_entry *const *)node;
    struct search *search = context;

    if ((order == postorder || order == leaf) && entry->worker == search->worker)
        search->ids[search->count++] = entry->id;
}

void connections_remove_worker(struct connections *connections, unsigned worker)
{
    static uint64_t ids[CONNECTIONS_MAX]; /* too many for the stack */
    struct search search = {.worker = worker, .ids = ids};

    twalk_r(connections->root, visit, &search);
    for (size_t i = 0; i < search.count; i++)
        connections_remove(connections, ids[i]);
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
