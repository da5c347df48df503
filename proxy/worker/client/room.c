#include "worker/client/room.h"

#include <string.h>

/* Who shares what is full. */
enum scope { SCOPE_WORKER = 0, SCOPE_SURFACE, SCOPE_CALLER, SCOPE_SESSION, SCOPE_COUNT };

static struct quota_holder session_of(const struct connection *connection)
{
    return quota_session(connection->surface_index, connection->session_id);
}

static struct quota_holder caller_of(const struct connection *connection)
{
    return quota_caller(connection->surface_index, connection->caller_uid);
}

static unsigned session_has(const struct connection *connection)
{
    return quota_held(connection->worker->quotas, QUOTA_CONNECTIONS, session_of(connection));
}

static bool is_full(const struct connection *connection, enum scope scope)
{
    const struct worker *worker = connection->worker;
    const struct surface_limits *limits = &connection->surface->limits;

    switch (scope) {
    case SCOPE_WORKER:
        return worker->granted_count >= worker->granted_max;
    case SCOPE_SURFACE:
        return worker->surfaces[connection->surface_index].granted >= limits->max_connections;
    case SCOPE_CALLER:
        return connection->caller_known &&
               quota_held(worker->quotas, QUOTA_CALLER_CONNECTIONS, caller_of(connection)) >=
                   limits->max_connections_per_caller;
    case SCOPE_SESSION:
        return session_has(connection) >= limits->max_connections_per_session;
    case SCOPE_COUNT:
        break;
    }
    return true;
}

/* It waits for another request. */
static bool is_between(const struct connection *connection)
{
    return connection->state == CONNECTION_HEAD;
}

static bool shares(const struct connection *one, const struct connection *other, enum scope scope)
{
    return one->has_room && (scope == SCOPE_WORKER || one->surface_index == other->surface_index) &&
           (scope < SCOPE_CALLER || (one->caller_known && one->caller_uid == other->caller_uid)) &&
           (scope < SCOPE_SESSION || strcmp(one->session_id, other->session_id) == 0);
}

/* Whether the first gives way before the second, which came later or is NULL. */
static bool goes_before(const struct connection *one, const struct connection *other)
{
    bool between = is_between(one);

    if (other == NULL || between != is_between(other))
        return other == NULL || between;
    if (!between && session_has(one) != session_has(other))
        return session_has(one) > session_has(other);
    return one->mode->waits_since(one) <= other->mode->waits_since(other);
}

static struct connection *who_gives_way(const struct connection *comer, enum scope scope)
{
    const unsigned has = session_has(comer);
    struct connection *first = NULL;

    for (struct connection *c = comer->worker->connections; c != NULL; c = c->next) {
        if (!shares(c, comer, scope) || c->mode->waits_since(c) == 0 ||
            (!is_between(c) && session_has(c) <= has))
            continue;
        if (goes_before(c, first))
            first = c;
    }
    return first;
}

/* What is said where there is none. */
static const enum reason full[] = {[SCOPE_WORKER] = REASON_CAPACITY,
                                   [SCOPE_SURFACE] = REASON_SURFACE_FULL,
                                   [SCOPE_CALLER] = REASON_CALLER_FULL};

enum reason room_may_be_had(const struct connection *connection)
{
    for (enum scope scope = SCOPE_WORKER; scope < SCOPE_SESSION; scope++) {
        if (is_full(connection, scope) && who_gives_way(connection, scope) == NULL)
            return full[scope];
    }
    return REASON_ALLOWED;
}

/* Whether there is any now. */
static bool make_room(const struct connection *comer, enum scope scope)
{
    struct connection *first;

    if (!is_full(comer, scope))
        return true;
    first = who_gives_way(comer, scope);
    if (first == NULL)
        return false;
    quotas_counts(comer->worker->quotas, first->surface_index)->gave_way[QUOTA_CONNECTIONS]++;
    connection_drop(first, REASON_GAVE_WAY);
    return !is_full(comer, scope);
}

enum reason room_take(struct connection *connection)
{
    struct worker *worker = connection->worker;
    const struct surface_limits *limits = &connection->surface->limits;
    enum reason reason;

    for (enum scope scope = SCOPE_WORKER; scope < SCOPE_SESSION; scope++) {
        if (!make_room(connection, scope))
            return full[scope];
    }
    (void)make_room(connection, SCOPE_SESSION);
    reason = quota_take_within(worker->quotas, QUOTA_CONNECTIONS, session_of(connection),
                               limits->max_connections_per_session);
    if (!reason_allows(reason))
        return reason;
    if (connection->caller_known)
        reason = quota_take_within(worker->quotas, QUOTA_CALLER_CONNECTIONS, caller_of(connection),
                                   limits->max_connections_per_caller);
    if (!reason_allows(reason)) {
        quota_give(worker->quotas, QUOTA_CONNECTIONS, session_of(connection));
        return reason;
    }
    connection->has_room = true;
    worker->granted_count++;
    worker->surfaces[connection->surface_index].granted++;
    return REASON_ALLOWED;
}

void room_give(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (!connection->has_room)
        return;
    connection->has_room = false;
    quota_give(worker->quotas, QUOTA_CONNECTIONS, session_of(connection));
    if (connection->caller_known)
        quota_give(worker->quotas, QUOTA_CALLER_CONNECTIONS, caller_of(connection));
    worker->granted_count--;
    worker->surfaces[connection->surface_index].granted--;
}
