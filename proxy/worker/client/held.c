#include "worker/client/held.h"

#include <string.h>

static struct quota_holder session_of(const struct connection *connection)
{
    return quota_session(connection->surface_index, connection->session_id);
}

static size_t session_holds(const struct connection *connection)
{
    return quota_held(connection->worker->quotas, QUOTA_HELD, session_of(connection));
}

static bool is_over(const struct worker *worker, size_t session_holds)
{
    return worker->held_bytes > worker->held_max || session_holds > worker->held_max / 2;
}

void held_set(struct connection *connection, size_t bytes)
{
    struct worker *worker = connection->worker;
    size_t before = connection->held_bytes;

    worker->held_bytes = worker->held_bytes - before + bytes;
    connection->held_bytes = (uint32_t)bytes;
    quota_weigh(worker->quotas, QUOTA_HELD, session_of(connection), before, bytes);
    if (bytes > before && is_over(worker, session_holds(connection)))
        worker->held_over = true;
}

/* When its client began to keep us waiting; now, if it does not. */
static uint64_t late_since(const struct connection *connection)
{
    uint64_t since_ms = connection->mode->waits_since(connection);

    return since_ms != 0 ? since_ms : worker_now_ms(connection->worker);
}

/* Whether the first gives way before the second, which came later or is NULL. */
static bool goes_before(const struct connection *one, const struct connection *other)
{
    if (other == NULL)
        return true;
    if (session_holds(one) != session_holds(other))
        return session_holds(one) > session_holds(other);
    if (late_since(one) != late_since(other))
        return late_since(one) < late_since(other);
    return one->held_bytes >= other->held_bytes;
}

static struct connection *who_gives_way(const struct worker *worker)
{
    struct connection *first = NULL;

    for (struct connection *c = worker->connections; c != NULL; c = c->next) {
        /* Who lingers has given way, and what it has goes with it. */
        if (c->held_bytes > 0 && c->state != CONNECTION_LINGERING && goes_before(c, first))
            first = c;
    }
    return first != NULL && is_over(worker, session_holds(first)) ? first : NULL;
}

void held_shed(struct worker *worker)
{
    struct connection *first;

    worker->held_over = false;
    while ((first = who_gives_way(worker)) != NULL) {
        quotas_counts(worker->quotas, first->surface_index)->gave_way[QUOTA_HELD]++;
        connection_drop(first, REASON_QUOTA_HELD);
    }
}
