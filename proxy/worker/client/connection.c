#include "worker/http/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The rest of the worker sees a plain socket in any case. */
static enum error open_client(struct connection *connection, int fd)
{
    enum error error = OK;

    if (connection->surface->tls != NULL)
        error = secure_start(connection, fd, &fd);
    if (error != OK)
        return error;
    error = handshake_start(connection, fd);
    if (error == OK)
        return OK;
    close(fd);
    if (connection->tls != NULL)
        tls_abandon(connection->tls);
    return error;
}

enum error connection_create(const struct connection_birth *birth, struct connection **out)
{
    struct worker *worker = birth->worker;
    struct connection *connection = calloc(1, sizeof(*connection));
    enum error error;

    if (connection == NULL) {
        close(birth->fd);
        return ERROR_MEMORY;
    }
    connection->worker = worker;
    connection->id = ++worker->next_id;
    connection->surface_index = birth->listener->surface;
    connection->surface = &worker->config->surfaces[birth->listener->surface];
    connection->listener = &birth->listener->listener;
    connection->caller_known = birth->caller_known;
    connection->caller_uid = birth->caller_uid;
    connection->link.fd = -1;
    connection->deadline_ms = worker_now_ms(worker) + HEAD_TIMEOUT_MS;
    error = open_client(connection, birth->fd);
    if (error != OK) {
        free(connection);
        return error;
    }
    connection->next = worker->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    worker->connections = connection;
    worker->connection_count++;
    worker->surfaces[connection->surface_index].connections++;
    *out = connection;
    return OK;
}

struct connection *connection_find(struct worker *worker, uint64_t id)
{
    struct connection *connection = worker->connections;

    while (connection != NULL && connection->id != id)
        connection = connection->next;
    return connection;
}

void connection_release(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (connection->handshake != NULL || connection->wsi != NULL || connection->link.poll_active)
        return;
    if (!secure_finish(connection))
        return;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    worker->connection_count--;
    worker->surfaces[connection->surface_index].connections--;
    connection->next = worker->dead;
    worker->dead = connection;
}

void connection_reap(struct worker *worker)
{
    while (worker->dead != NULL) {
        struct connection *connection = worker->dead;

        worker->dead = connection->next;
        assembly_clear(&connection->from_client);
        ws_reader_clear(&connection->link.reader);
        text_list_clear(&connection->session_verbs);
        text_list_clear(&connection->session_targets);
        vet_state_destroy(connection->vet);
        exchange_destroy(connection);
        free(connection->link.out);
        free(connection->link.stash);
        free(connection);
    }
    if (worker->connection_count < worker->connection_max)
        worker_accept_more(worker, true);
}

static enum error copy_list(const struct ipc_list *list, struct text_list *out)
{
    for (uint32_t i = 0; i < list->count; i++) {
        enum error error = text_list_add(out, list->items[i], strlen(list->items[i]));

        if (error != OK)
            return error;
    }
    return OK;
}

enum error connection_keep_verdict(struct connection *connection, const struct ipc_verdict *verdict)
{
    enum error error;

    if (verdict->route >= connection->surface->route_count || verdict->offer == NULL)
        return ERROR_SYNTAX;
    connection->route = &connection->surface->routes[verdict->route];
    connection->expires_at = verdict->expires_at;
    memcpy(connection->match_digest, verdict->match_digest, sizeof(connection->match_digest));
    text_list_clear(&connection->session_verbs);
    text_list_clear(&connection->session_targets);
    connection->session_verbs_set = verdict->verbs.set;
    connection->session_targets_set = verdict->targets.set;
    error = copy_list(&verdict->verbs, &connection->session_verbs);
    if (error == OK)
        error = copy_list(&verdict->targets, &connection->session_targets);
    if (error == OK && connection->vet == NULL)
        error = vet_state_create(&connection->vet);
    return error;
}

/* Both WebSockets are up: say goodbye to both sides and wait a little for them. */
static void close_open(struct connection *connection, const char *text, size_t text_length)
{
    unsigned to_service = connection->close_code;

    connection->state = CONNECTION_CLOSING;
    connection->deadline_ms = worker_now_ms(connection->worker) + CLOSE_TIMEOUT_MS;
    grant_end(connection, connection->reason);
    assembly_clear(&connection->from_client);
    /* What the gate found wrong with the client is not the service's business. */
    if (connection->reason != REASON_CLIENT_CLOSED && connection->reason != REASON_UPSTREAM_CLOSED)
        to_service = 1001;
    /* A client that went without a word leaves the service without one, too. */
    if (connection->reason == REASON_CLIENT_CLOSED && !connection->client_closed)
        link_close(connection);
    else
        link_send_close(connection, to_service, text, text_length);
    if (!connection->client_closed)
        downstream_close(connection);
    connection_release(connection);
}

void connection_drop_as(struct connection *connection, enum reason reason, unsigned close_code,
                        const char *text, size_t text_length)
{
    if (connection->state == CONNECTION_CLOSING || connection->state == CONNECTION_LINGERING)
        return;
    connection->reason = reason;
    connection->close_code = close_code;
    if (text_length > sizeof(connection->close_text) - 2)
        text_length = sizeof(connection->close_text) - 2;
    if (text_length > 0)
        memcpy(connection->close_text, text, text_length);
    connection->close_text_length = text_length;
    if (connection->state == CONNECTION_OPEN) {
        close_open(connection, text, text_length);
        return;
    }
    if (connection->state == CONNECTION_EXCHANGE) {
        exchange_drop(connection, reason);
        return;
    }
    grant_end(connection, reason);
    link_close(connection);
    handshake_deny(connection, reason);
}

void connection_drop(struct connection *connection, enum reason reason)
{
    const struct reason_info *info = reason_info(reason);

    connection_drop_as(connection, reason, info->close_code, info->code, strlen(info->code));
}

/* The deadline of a state passed: what that means depends on the state. */
static void on_deadline(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_HEAD:
        connection_drop(connection, REASON_REQUEST_TIMEOUT);
        return;
    case CONNECTION_ADMITTING:
        connection_drop(connection, REASON_ADMISSION_TIMEOUT);
        return;
    case CONNECTION_LINKING:
        connection_drop(connection, REASON_UPSTREAM_TIMEOUT);
        return;
    case CONNECTION_OPEN:
    case CONNECTION_EXCHANGE:
        return;
    case CONNECTION_CLOSING:
    case CONNECTION_LINGERING:
        if (secure_waits(connection))
            return;
        connection->deadline_ms = 0;
        link_close(connection);
        downstream_abort(connection);
        handshake_end(connection);
        connection_release(connection);
        return;
    }
}

static bool assembly_late(const struct assembly *assembly, uint64_t now_ms, uint64_t limit_ms)
{
    return assembly->active && now_ms - assembly->since_ms > limit_ms;
}

/* The gate's own ping: proves that the client is there and moves its half-sent frames. */
static void keep_alive(struct connection *connection, uint64_t now_ms)
{
    const struct surface_limits *limits = &connection->surface->limits;
    unsigned char ping[PRE_BYTES + GATE_PING_BYTES] = {0};

    if (limits->ping_interval_ms == 0 || connection->client_blocked ||
        now_ms - connection->pinged_ms < limits->ping_interval_ms)
        return;
    if (connection->ping_outstanding) {
        connection_drop(connection, REASON_IDLE_TIMEOUT);
        return;
    }
    connection->pinged_ms = now_ms;
    connection->ping_outstanding = true;
    memcpy(ping + PRE_BYTES, GATE_PING, GATE_PING_BYTES);
    if (downstream_send(connection, WS_PING, ping + PRE_BYTES, GATE_PING_BYTES) != OK)
        connection_drop(connection, REASON_CLIENT_CLOSED);
}

/* Which of an open connection's deadlines has passed; REASON_ALLOWED if none. */
static enum reason overdue(const struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    const struct surface_limits *limits = &connection->surface->limits;
    const struct link *link = &connection->link;

    if (now_s >= connection->expires_at)
        return REASON_SESSION_EXPIRED;
    if (assembly_late(&connection->from_client, now_ms, limits->message_timeout_ms))
        return REASON_MESSAGE_TIMEOUT;
    if ((link->message_since_ms != 0 &&
         now_ms - link->message_since_ms > limits->message_timeout_ms) ||
        (link->out_length > 0 && now_ms - link->progress_ms > limits->write_timeout_ms))
        return REASON_UPSTREAM_TIMEOUT;
    if (connection->client_blocked &&
        now_ms - connection->blocked_since_ms > limits->write_timeout_ms)
        return REASON_WRITE_STALLED;
    if (limits->idle_timeout_ms > 0 && now_ms - connection->active_ms > limits->idle_timeout_ms)
        return REASON_IDLE_TIMEOUT;
    return REASON_ALLOWED;
}

static void tick_open(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    enum reason reason = overdue(connection, now_ms, now_s);

    if (reason_allows(reason))
        keep_alive(connection, now_ms);
    else
        connection_drop(connection, reason);
}

void connection_tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    if (connection->state == CONNECTION_OPEN)
        tick_open(connection, now_ms, now_s);
    else if (connection->state == CONNECTION_EXCHANGE)
        exchange_tick(connection, now_ms, now_s);
    else if (connection->state == CONNECTION_HEAD && connection->admitted &&
             now_s >= connection->expires_at)
        connection_drop(connection, REASON_SESSION_EXPIRED);
    else if (connection->deadline_ms != 0 && now_ms >= connection->deadline_ms)
        on_deadline(connection);
}
