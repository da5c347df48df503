#include "worker/websocket/overdue.h"

static bool is_late(uint64_t since_ms, uint64_t now_ms, uint64_t limit_ms)
{
    return since_ms != 0 && now_ms - since_ms > limit_ms;
}

enum reason websocket_overdue(const struct websocket *websocket, uint64_t now_ms, int64_t now_s)
{
    const struct connection *connection = websocket->connection;
    const struct surface_limits *limits = &connection->surface->limits;
    const struct downstream *client = &websocket->client;
    const struct service *service = &websocket->service;
    const struct outgoing *out = &service->link.out;

    if (now_s >= connection->expires_at)
        return REASON_SESSION_EXPIRED;
    if (client->message.active &&
        (is_late(client->message.since_ms, now_ms, limits->message_timeout_ms) ||
         is_late(client->message_clock_ms, now_ms, limits->body_timeout_ms)))
        return REASON_MESSAGE_TIMEOUT;
    if (is_late(service->message_since_ms, now_ms, limits->message_timeout_ms) ||
        (!outgoing_empty(out) && is_late(out->progress_ms, now_ms, limits->write_timeout_ms)))
        return REASON_UPSTREAM_TIMEOUT;
    if (client->blocked && is_late(client->blocked_since_ms, now_ms, limits->write_timeout_ms))
        return REASON_WRITE_STALLED;
    if (limits->idle_timeout_ms > 0 &&
        is_late(websocket->active_ms, now_ms, limits->idle_timeout_ms))
        return REASON_IDLE_TIMEOUT;
    return REASON_ALLOWED;
}

uint64_t websocket_waits_since(const struct websocket *websocket)
{
    const struct downstream *client = &websocket->client;

    if (websocket->state != WEBSOCKET_OPEN)
        return 0;
    if (client->blocked)
        return client->blocked_since_ms;
    return client->message.active ? client->message_clock_ms : 0;
}
