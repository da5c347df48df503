/* A balanced tree by id (tsearch), and a walk over it for what is not asked by id. */
#include "broker/core/connections.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 65536 /* in all workers */

static int compare(const void *one, const void *other)
{
    const struct connection_entry *a = one, *b = other;

    return a->id < b->id ? -1 : a->id > b->id;
}

void connections_clear(struct connections *connections)
{
    tdestroy(connections->root, free);
}

enum error connections_add(struct connections *connections, const struct connection_entry *entry)
{
    struct connection_entry *copy, **node;

    if (entry->id == 0)
        return ERROR_INVALID;
    if (connections->count == CONNECTIONS_MAX)
        return ERROR_LIMIT;
    copy = malloc(sizeof(*copy));
    if (copy == NULL)
        return ERROR_MEMORY;
    *copy = *entry;
    node = tsearch(copy, &connections->root, compare);
    if (node == NULL || *node != copy) {
        free(copy);
        return node == NULL ? ERROR_MEMORY : ERROR_EXISTS;
    }
    connections->count++;
    return OK;
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
    free(entry);
    connections->count--;
}

/* What is looked for on a walk, and how many there are. */
struct search {
    const struct surface_state *surface; /* NULL: any */
    const char *session_id;              /* NULL: any */
    const unsigned *worker;              /* NULL: any */
    uint64_t *ids;                       /* NULL: they are only counted */
    size_t count;
};

static void visit(const void *node, VISIT order, void *context)
{
    const struct connection_entry *entry = *(const struct connection_entry *const *)node;
    struct search *search = context;

    if ((order != postorder && order != leaf) ||
        (search->surface != NULL && entry->surface != search->surface) ||
        (search->session_id != NULL && strcmp(entry->session_id, search->session_id) != 0) ||
        (search->worker != NULL && entry->worker != *search->worker))
        return;
    if (search->ids != NULL)
        search->ids[search->count] = entry->id;
    search->count++;
}

void connections_remove_worker(struct connections *connections, unsigned worker)
{
    static uint64_t ids[CONNECTIONS_MAX]; /* too many for the stack */
    struct search search = {.worker = &worker, .ids = ids};

    twalk_r(connections->root, visit, &search);
    for (size_t i = 0; i < search.count; i++)
        connections_remove(connections, ids[i]);
}

size_t connections_count(const struct connections *connections, const struct surface_state *surface,
                         const char *session_id)
{
    struct search search = {.surface = surface, .session_id = session_id};

    twalk_r(connections->root, visit, &search);
    return search.count;
}
