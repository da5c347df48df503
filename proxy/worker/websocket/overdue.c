#include "worker/websocket/overdue.h"

/* Whoever is not read need not go on with what it has begun. */
static bool is_in_message(const struct side *side)
{
    return side->message_since_ms != 0 && !side->held;
}

static bool is_late(uint64_t since_ms, uint64_t now_ms, uint64_t limit_ms)
{
    return since_ms != 0 && now_ms - since_ms > limit_ms;
}

static bool takes_nothing(const struct side *side, uint64_t now_ms, uint64_t limit_ms)
{
    return side_is_blocked(side) && is_late(side->link.out.progress_ms, now_ms, limit_ms);
}

enum reason websocket_overdue(const struct websocket *websocket, uint64_t now_ms, int64_t now_s)
{
    const struct connection *connection = websocket->connection;
    const struct surface_limits *limits = &connection->surface->limits;
    const struct side *client = &websocket->client, *service = &websocket->service;

    if (now_s >= connection->expires_at)
        return REASON_SESSION_EXPIRED;
    if (is_in_message(client) &&
        (is_late(client->message_since_ms, now_ms, limits->message_timeout_ms) ||
         is_late(client->message_clock_ms, now_ms, limits->body_timeout_ms)))
        return REASON_MESSAGE_TIMEOUT;
    if (is_in_message(service) &&
        is_late(service->message_since_ms, now_ms, limits->message_timeout_ms))
        return service->reader.in_pieces ? REASON_ANSWER_TOO_BIG : REASON_MESSAGE_STALLED;
    if (takes_nothing(service, now_ms, limits->write_timeout_ms))
        return REASON_UPSTREAM_STALLED;
    if (takes_nothing(client, now_ms, limits->write_timeout_ms))
        return REASON_WRITE_STALLED;
    if (limits->idle_timeout_ms > 0 &&
        is_late(websocket->active_ms, now_ms, limits->idle_timeout_ms))
        return REASON_IDLE_TIMEOUT;
    return REASON_ALLOWED;
}

static void come_forward(uint64_t *due_ms, uint64_t since_ms, uint64_t limit_ms)
{
    if (limit_ms > 0 && since_ms + limit_ms < *due_ms)
        *due_ms = since_ms + limit_ms;
}

uint64_t websocket_due_ms(const struct websocket *websocket, uint64_t now_ms, int64_t now_s)
{
    const struct connection *connection = websocket->connection;
    const struct surface_limits *limits = &connection->surface->limits;
    const struct side *client = &websocket->client, *service = &websocket->service;
    uint64_t due_ms = connection_expires_ms(connection, now_ms, now_s);

    if (client->message_since_ms != 0 || service->message_since_ms != 0 ||
        side_is_blocked(client) || side_is_blocked(service) || connection->quiet_until_ms != 0)
        return 0;
    come_forward(&due_ms, websocket->active_ms, limits->idle_timeout_ms);
    come_forward(&due_ms, websocket->pinged_ms, limits->ping_interval_ms);
    return due_ms;
}

uint64_t websocket_waits_since(const struct websocket *websocket)
{
    const struct side *client = &websocket->client;

    if (websocket->state != WEBSOCKET_OPEN)
        return 0;
    if (side_is_blocked(client))
        return client->link.out.progress_ms;
    return client->message_since_ms != 0 ? client->message_clock_ms : 0;
}
