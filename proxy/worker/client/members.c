#include "worker/client/members.h"

#include <stdlib.h>
#include <string.h>

struct members *members_find(const struct worker *worker, const char *session_id)
{
    struct hash_entry *entry = hash_first(&worker->members, hash_text(0, session_id));
    struct members *members;

    for (; entry != NULL; entry = hash_next(entry)) {
        members = HASH_OWNER(entry, struct members, entry);
        if (strcmp(members->session_id, session_id) == 0)
            return members;
    }
    return NULL;
}

static struct members *begin(const struct connection *connection)
{
    struct worker *worker = connection->worker;
    const char *session_id = connection->session_id;
    struct members *members = calloc(1, sizeof(*members));

    if (members == NULL)
        return NULL;
    members->allowance =
        allowance_open(worker->allowances, quota_session(connection->surface_index, session_id),
                       &connection->surface->limits);
    if (members->allowance == NULL) {
        free(members);
        return NULL;
    }
    memcpy(members->session_id, session_id, strlen(session_id) + 1);
    hash_add(&worker->members, &members->entry, hash_text(0, session_id));
    return members;
}

bool members_join(struct connection *connection)
{
    struct members *members = members_find(connection->worker, connection->session_id);

    if (members == NULL)
        members = begin(connection);
    if (members == NULL)
        return false;
    connection->members = members;
    connection->member_previous = NULL;
    connection->member_next = members->first;
    if (members->first != NULL)
        members->first->member_previous = connection;
    members->first = connection;
    return true;
}

void members_leave(struct connection *connection)
{
    struct members *members = connection->members;

    if (members == NULL)
        return;
    if (connection->member_previous != NULL)
        connection->member_previous->member_next = connection->member_next;
    else
        members->first = connection->member_next;
    if (connection->member_next != NULL)
        connection->member_next->member_previous = connection->member_previous;
    connection->members = NULL;
    if (members->first != NULL)
        return;
    hash_remove(&connection->worker->members, &members->entry);
    allowance_close(members->allowance);
    free(members);
}

void members_clear(struct worker *worker)
{
    struct hash_entry *entry;
    size_t bucket = 0;

    while ((entry = hash_any(&worker->members, &bucket)) != NULL) {
        hash_remove(&worker->members, entry);
        free(HASH_OWNER(entry, struct members, entry));
    }
    hash_clear(&worker->members);
}

void members_extend(struct worker *worker, const char *session_id, int64_t expires_at)
{
    struct members *members = members_find(worker, session_id);

    for (struct connection *c = members != NULL ? members->first : NULL; c != NULL;
         c = c->member_next) {
        c->expires_at = expires_at;
        connection_wake(c); /* it may be sooner than before */
    }
}
