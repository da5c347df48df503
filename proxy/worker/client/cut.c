#include "worker/client/cut.h"

#include "worker/client/members.h"

#define DROPS_A_LOOK 16 /* at the clock */

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
    if (connection->line != &connection->worker->doomed)
        return false;
    connection_stand(connection, NULL);
    connection_drop(connection, connection->doom);
    return true;
}

bool cut_go_on(struct worker *worker)
{
    uint64_t until_ns = uv_hrtime() + CUT_TURN_MS * UINT64_C(1000000);
    struct connection *first;

    for (unsigned drops = 1; (first = worker->doomed.first) != NULL; drops++) {
        (void)cut_now(first);
        if (drops % DROPS_A_LOOK == 0 && uv_hrtime() >= until_ns)
            break;
    }
    return worker->doomed.first != NULL;
}
