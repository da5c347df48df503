#include "worker/client/connection.h"

#include "worker/tls/tls.h"

#include <stdlib.h>

/* ---- The lobby ---- */

void connection_enter_lobby(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (connection->in_lobby)
        return;
    connection->in_lobby = true;
    connection->lobby_next = NULL;
    connection->lobby_previous = worker->lobby_newest;
    if (worker->lobby_newest != NULL)
        worker->lobby_newest->lobby_next = connection;
    else
        worker->lobby_oldest = connection;
    worker->lobby_newest = connection;
}

void connection_leave_lobby(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (!connection->in_lobby)
        return;
    connection->in_lobby = false;
    if (connection->lobby_previous != NULL)
        connection->lobby_previous->lobby_next = connection->lobby_next;
    else
        worker->lobby_oldest = connection->lobby_next;
    if (connection->lobby_next != NULL)
        connection->lobby_next->lobby_previous = connection->lobby_previous;
    else
        worker->lobby_newest = connection->lobby_previous;
}

/* ---- Beginning and end ---- */

struct connection *connection_create(struct worker *worker, uint32_t surface_index)
{
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return NULL;
    connection->worker = worker;
    connection->id = ++worker->next_id;
    connection->surface_index = surface_index;
    connection->surface = &worker->config->surfaces[surface_index];
    connection->next = worker->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    worker->connections = connection;
    worker->connection_count++;
    connection_enter_lobby(connection);
    return connection;
}

struct connection *connection_find(struct worker *worker, uint64_t id)
{
    struct connection *connection = worker->connections;

    while (connection != NULL && connection->id != id)
        connection = connection->next;
    return connection;
}

void connection_drop(struct connection *connection, enum reason reason)
{
    if (connection->state == CONNECTION_LINGERING)
        return;
    connection->close_code = reason_info(reason)->close_code;
    connection->mode->drop(connection, reason);
}

void connection_cut(struct connection *connection)
{
    connection_leave_lobby(connection);
    connection->mode->release(connection);
    if (connection->tls != NULL)
        tls_abort(connection->tls);
}

static void bury(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    worker->connection_count--;
    connection_leave_lobby(connection);
    connection->next = worker->dead;
    worker->dead = connection;
}

/* Nothing but TLS is left: the client may still have to take what was written last. */
static void finish_tls(struct connection *connection)
{
    connection->finishing = true;
    connection->state = CONNECTION_LINGERING;
    connection->deadline_ms =
        worker_now_ms(connection->worker) +
        (connection->secured ? connection->surface->limits.write_timeout_ms : LINGER_TIMEOUT_MS);
    tls_finish(connection->tls);
}

void connection_hold(struct connection *connection)
{
    connection->holds++;
}

void connection_let_go(struct connection *connection)
{
    if (--connection->holds > 0)
        return;
    if (connection->tls != NULL)
        finish_tls(connection);
    else
        bury(connection);
}

void connection_tls_ended(struct connection *connection)
{
    connection->tls = NULL;
    if (connection->holds == 0)
        bury(connection);
}

/* Who takes nothing for so long is cut. */
static void tick_finishing(struct connection *connection, uint64_t now_ms)
{
    if (connection->deadline_ms == 0 || now_ms < connection->deadline_ms)
        return;
    if (connection->secured && tls_moved(connection->tls)) {
        connection->deadline_ms = now_ms + connection->surface->limits.write_timeout_ms;
        return;
    }
    connection->deadline_ms = 0;
    tls_abort(connection->tls);
}

void connection_tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    if (connection->finishing)
        tick_finishing(connection, now_ms);
    else
        connection->mode->tick(connection, now_ms, now_s);
}

void connection_reap(struct worker *worker)
{
    while (worker->dead != NULL) {
        struct connection *connection = worker->dead;

        worker->dead = connection->next;
        connection->mode->destroy(connection);
        text_list_clear(&connection->session_verbs);
        text_list_clear(&connection->session_targets);
        free(connection->certificate);
        free(connection);
    }
}
