#include "store/taken.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct taken_session {
    char id[TOKEN_ID_SIZE];
    int64_t revoked_at, used_at;
    unsigned holders; /* changes that were not kept yet */
};

struct taken_all {
    struct taken_all *next;
    char surface[TOKEN_NAME_SIZE]; /* "": any */
    int64_t until;
};

static int compare(const void *one, const void *other)
{
    return strcmp(((const struct taken_session *)one)->id,
                  ((const struct taken_session *)other)->id);
}

static struct taken_session *find(const struct taken *taken, const char *id)
{
    struct taken_session wanted = {.holders = 0}, **node;

    snprintf(wanted.id, sizeof(wanted.id), "%s", id);
    node = tfind(&wanted, &taken->sessions, compare);
    return node != NULL ? *node : NULL;
}

void taken_clear(struct taken *taken)
{
    tdestroy(taken->sessions, free);
    while (taken->all != NULL)
        taken_drop_all(taken, taken->all);
    *taken = (struct taken){NULL, NULL};
}

static struct taken_session *create(struct taken *taken, const char *id)
{
    struct taken_session *made = calloc(1, sizeof(*made));

    if (made == NULL)
        return NULL;
    snprintf(made->id, sizeof(made->id), "%s", id);
    if (tsearch(made, &taken->sessions, compare) != NULL)
        return made;
    free(made);
    return NULL;
}

enum error taken_add(struct taken *taken, const char *id, int64_t revoked_at, int64_t used_at)
{
    struct taken_session *session = find(taken, id);

    if (session == NULL)
        session = create(taken, id);
    if (session == NULL)
        return ERROR_MEMORY;
    if (session->revoked_at == 0)
        session->revoked_at = revoked_at;
    if (session->used_at == 0)
        session->used_at = used_at;
    session->holders++;
    return OK;
}

void taken_drop(struct taken *taken, const char *id)
{
    struct taken_session *session = find(taken, id);

    if (session == NULL || --session->holders > 0)
        return;
    tdelete(session, &taken->sessions, compare);
    free(session);
}

struct taken_all *taken_add_all(struct taken *taken, const char *surface, int64_t until)
{
    struct taken_all *all = calloc(1, sizeof(*all));

    if (all == NULL)
        return NULL;
    snprintf(all->surface, sizeof(all->surface), "%s", surface);
    all->until = until;
    all->next = taken->all;
    taken->all = all;
    return all;
}

void taken_drop_all(struct taken *taken, struct taken_all *all)
{
    struct taken_all **at = &taken->all;

    while (*at != all)
        at = &(*at)->next;
    *at = all->next;
    free(all);
}

void taken_apply(const struct taken *taken, struct session *session)
{
    const struct taken_session *one = find(taken, session->id);

    if (one != NULL && session->revoked_at == 0)
        session->revoked_at = one->revoked_at;
    if (one != NULL && session->used_at == 0)
        session->used_at = one->used_at;
    for (const struct taken_all *all = taken->all; all != NULL; all = all->next) {
        bool meant = all->surface[0] == '\0' || strcmp(all->surface, session->surface) == 0;

        if (meant && session->revoked_at == 0 && session->created_at <= all->until)
            session->revoked_at = all->until;
    }
}
