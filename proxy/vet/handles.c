#include "vet/handles.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS      256
#define CAPACITY_MIN 4

/* Handles of one kind, at the limit the oldest first from `oldest` on. */
struct given {
    char **items; /* owned, as are the strings */
    unsigned count, capacity, oldest;
};

struct holder {
    struct holder *next; /* in its bucket */
    char *session_id;    /* owned */
    uint64_t used;       /* grows */
    struct given given[HANDLE_KINDS];
};

struct handles {
    struct holder *buckets[BUCKETS];
    size_t count;
    unsigned limit; /* of a session and kind */
    uint64_t clock;
};

enum error handles_create(unsigned limit, struct handles **out)
{
    struct handles *handles = calloc(1, sizeof(*handles));

    if (handles == NULL)
        return ERROR_MEMORY;
    handles->limit = limit;
    *out = handles;
    return OK;
}

/* FNV-1a: session ids are the gate's own, nobody chooses them to collide. */
static struct holder **bucket_of(struct handles *handles, const char *session_id)
{
    uint32_t hash = 2166136261U;

    for (; *session_id != '\0'; session_id++)
        hash = (hash ^ (unsigned char)*session_id) * 16777619U;
    return &handles->buckets[hash % BUCKETS];
}

/* Where the session's holder is, or would be. */
static struct holder **place_of(struct handles *handles, const char *session_id)
{
    struct holder **at = bucket_of(handles, session_id);

    while (*at != NULL && strcmp((*at)->session_id, session_id) != 0)
        at = &(*at)->next;
    return at;
}

static void remove_at(struct handles *handles, struct holder **at)
{
    struct holder *holder = *at;

    *at = holder->next;
    handles->count--;
    for (unsigned kind = 0; kind < HANDLE_KINDS; kind++) {
        for (unsigned i = 0; i < holder->given[kind].count; i++)
            free(holder->given[kind].items[i]);
        free(holder->given[kind].items);
    }
    free(holder->session_id);
    free(holder);
}

static void forget_all(struct handles *handles)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (handles->buckets[i] != NULL)
            remove_at(handles, &handles->buckets[i]);
    }
}

void handles_destroy(struct handles *handles)
{
    if (handles == NULL)
        return;
    forget_all(handles);
    free(handles);
}

static void remove_longest_unused(struct handles *handles)
{
    struct holder **oldest = NULL;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct holder **at = &handles->buckets[i]; *at != NULL; at = &(*at)->next) {
            if (oldest == NULL || (*at)->used < (*oldest)->used)
                oldest = at;
        }
    }
    if (oldest != NULL)
        remove_at(handles, oldest);
}

/* The session's holder; a new one if need be; NULL without memory. */
static struct holder *holder_of(struct handles *handles, const char *session_id)
{
    struct holder *holder = *place_of(handles, session_id), **bucket;

    if (holder != NULL)
        return holder;
    if (handles->count == HANDLES_SESSIONS_MAX)
        remove_longest_unused(handles);
    holder = calloc(1, sizeof(*holder));
    if (holder == NULL || (holder->session_id = strdup(session_id)) == NULL) {
        free(holder);
        return NULL;
    }
    bucket = bucket_of(handles, session_id);
    holder->next = *bucket;
    *bucket = holder;
    handles->count++;
    return holder;
}

static bool is_among(const struct given *given, struct span handle)
{
    for (unsigned i = 0; i < given->count; i++) {
        if (span_equals(handle, given->items[i]))
            return true;
    }
    return false;
}

static bool grow(struct given *given)
{
    unsigned capacity = given->capacity > 0 ? given->capacity * 2 : CAPACITY_MIN;
    char **items = realloc(given->items, capacity * sizeof(*items));

    if (items == NULL)
        return false;
    memset(items + given->capacity, 0, (capacity - given->capacity) * sizeof(*items));
    given->items = items;
    given->capacity = capacity;
    return true;
}

/* Whether an older one gave way. */
static bool add(struct given *given, unsigned limit, struct span handle)
{
    char *copy;

    if ((given->count < limit && given->count == given->capacity && !grow(given)) ||
        given->items == NULL)
        return false;
    copy = text_copy(handle);
    if (copy == NULL)
        return false;
    if (given->count < limit) {
        given->items[given->count++] = copy;
        return false;
    }
    free(given->items[given->oldest]);
    given->items[given->oldest] = copy;
    given->oldest = (given->oldest + 1) % limit;
    return true;
}

bool handles_give(struct handles *handles, const char *session_id, enum handle_kind kind,
                  struct span handle)
{
    struct holder *holder;

    if (handles == NULL || handle.length == 0 || handle.length > HANDLE_BYTES_MAX)
        return false;
    holder = holder_of(handles, session_id);
    if (holder == NULL)
        return false;
    holder->used = ++handles->clock;
    /* Tasks are told of again and again; each event has an id of its own. */
    return (kind == HANDLE_EVENT || !is_among(&holder->given[kind], handle)) &&
           add(&holder->given[kind], handles->limit, handle);
}

bool handles_held(struct handles *handles, const char *session_id, enum handle_kind kind,
                  struct span handle)
{
    struct holder *holder = handles != NULL ? *place_of(handles, session_id) : NULL;

    if (holder == NULL)
        return false;
    holder->used = ++handles->clock;
    return is_among(&holder->given[kind], handle);
}

void handles_forget(struct handles *handles, const char *session_id)
{
    struct holder **at;

    if (session_id == NULL) {
        forget_all(handles);
        return;
    }
    at = place_of(handles, session_id);
    if (*at != NULL)
        remove_at(handles, at);
}
