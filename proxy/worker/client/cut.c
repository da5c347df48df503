#include "worker/client/cut.h"

#include "worker/client/members.h"

#define STEPS_A_LOOK 16 /* at the clock */

static void mark(struct connection *connection, enum reason reason)
{
    if (connection->line != NULL)
        return;
    connection->doom = reason;
    connection_stand(connection, &connection->worker->doomed);
}

void cut_session(struct worker *worker, const char *session_id, enum reason reason)
{
    struct members *members = session_id != NULL ? members_find(worker, session_id) : NULL;

    if (session_id == NULL) {
        for (struct connection *c = worker->connections; c != NULL; c = c->next) {
            if (c->members != NULL)
                mark(c, reason);
        }
        return;
    }
    for (struct connection *c = members != NULL ? members->first : NULL; c != NULL;
         c = c->member_next)
        mark(c, reason);
}

void cut_surface(struct worker *worker, uint32_t surface, enum reason reason)
{
    for (struct connection *c = worker->connections; c != NULL; c = c->next) {
        if (c->members != NULL && c->surface_index == surface)
            mark(c, reason);
    }
}

bool cut_now(struct connection *connection)
{
    const struct worker *worker = connection->worker;

    if (connection->line != &worker->doomed && connection->line != &worker->parted)
        return false;
    connection_stand(connection, NULL);
    connection_drop(connection, connection->doom);
    return true;
}

/* Who is next: to be told, and only when all have been, to be dropped. */
static struct connection *next_of(const struct worker *worker)
{
    return worker->doomed.first != NULL ? worker->doomed.first : worker->parted.first;
}

static void go_on_with(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (connection->line == &worker->parted || connection->mode->part == NULL) {
        (void)cut_now(connection);
        return;
    }
    connection_stand(connection, &worker->parted);
    connection->mode->part(connection, connection->doom);
}

bool cut_go_on(struct worker *worker)
{
    uint64_t until_ns = uv_hrtime() + CUT_TURN_MS * UINT64_C(1000000);
    struct connection *next;

    for (unsigned steps = 1; (next = next_of(worker)) != NULL; steps++) {
        go_on_with(next);
        if (steps % STEPS_A_LOOK == 0 && uv_hrtime() >= until_ns)
            break;
    }
    return next_of(worker) != NULL;
}
