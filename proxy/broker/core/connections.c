#include "broker/core/connections.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 65536 /* in all workers */
#define BUCKETS_MIN     64

/*
 * An open-addressed table by id with linear probing. A removal moves the
 * entries after it back, so that no markers are left to probe over. The id 0
 * marks a free bucket.
 */
struct connections {
    struct connection_entry *buckets;
    size_t bucket_count; /* a power of two, at least twice the entries */
    size_t count;
};

enum error connections_create(struct connections **out)
{
    struct connections *connections = malloc(sizeof(*connections));

    if (connections == NULL)
        return ERROR_MEMORY;
    *connections = (struct connections){.bucket_count = BUCKETS_MIN};
    connections->buckets = calloc(BUCKETS_MIN, sizeof(*connections->buckets));
    if (connections->buckets == NULL) {
        free(connections);
        return ERROR_MEMORY;
    }
    *out = connections;
    return OK;
}

void connections_destroy(struct connections *connections)
{
    if (connections == NULL)
        return;
    free(connections->buckets);
    free(connections);
}

/* Fibonacci hashing: ids may come in any stride. */
static size_t home(const struct connections *connections, uint64_t id)
{
    return (size_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (connections->bucket_count - 1);
}

/* The bucket that holds an id, or the free one where it would go. */
static size_t probe(const struct connections *connections, uint64_t id)
{
    size_t at = home(connections, id);

    while (connections->buckets[at].id != 0 && connections->buckets[at].id != id)
        at = (at + 1) & (connections->bucket_count - 1);
    return at;
}

static enum error grow(struct connections *connections)
{
    struct connections larger = {.bucket_count = connections->bucket_count * 2,
                                 .count = connections->count};

    larger.buckets = calloc(larger.bucket_count, sizeof(*larger.buckets));
    if (larger.buckets == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < connections->bucket_count; i++) {
        const struct connection_entry *entry = &connections->buckets[i];

        if (entry->id != 0)
            larger.buckets[probe(&larger, entry->id)] = *entry;
    }
    free(connections->buckets);
    *connections = larger;
    return OK;
}

enum error connections_add(struct connections *connections, const struct connection_entry *entry)
{
    size_t at;

    if (entry->id == 0)
        return ERROR_INVALID;
    if (connections->count == CONNECTIONS_MAX)
        return ERROR_LIMIT;
    if ((connections->count + 1) * 2 > connections->bucket_count) {
        enum error error = grow(connections);

        if (error != OK)
            return error;
    }
    at = probe(connections, entry->id);
    if (connections->buckets[at].id != 0)
        return ERROR_EXISTS;
    connections->buckets[at] = *entry;
    connections->count++;
    return OK;
}

void connections_remove(struct connections *connections, uint64_t id)
{
    size_t mask = connections->bucket_count - 1;
    size_t hole, at;

    if (id == 0)
        return;
    hole = probe(connections, id);
    if (connections->buckets[hole].id == 0)
        return;
    connections->count--;
    for (at = (hole + 1) & mask; connections->buckets[at].id != 0; at = (at + 1) & mask) {
        size_t wanted = home(connections, connections->buckets[at].id);

        /* An entry may move back only as far as its home bucket. */
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            connections->buckets[hole] = connections->buckets[at];
            hole = at;
        }
    }
    connections->buckets[hole] = (struct connection_entry){0};
}

void connections_remove_worker(struct connections *connections, unsigned worker)
{
    size_t at = 0;

    while (at < connections->bucket_count) {
        const struct connection_entry *entry = &connections->buckets[at];

        /* Removing may bring another entry to this bucket: look at it again. */
        if (entry->id != 0 && entry->worker == worker)
            connections_remove(connections, entry->id);
        else
            at++;
    }
}

const struct connection_entry *connections_find(const struct connections *connections, uint64_t id)
{
    const struct connection_entry *entry;

    if (id == 0)
        return NULL;
    entry = &connections->buckets[probe(connections, id)];
    return entry->id != 0 ? entry : NULL;
}

size_t connections_count(const struct connections *connections, const struct surface_state *surface,
                         const char *session_id)
{
    size_t count = 0;

    for (size_t i = 0; i < connections->bucket_count; i++) {
        const struct connection_entry *entry = &connections->buckets[i];

        if (entry->id != 0 && (surface == NULL || entry->surface == surface) &&
            (session_id == NULL || strcmp(entry->session_id, session_id) == 0))
            count++;
    }
    return count;
}
