/* Streams of events (text/event-stream): each is vetted, and written anew if it passes. */
#include "policy/admission.h"
#include "wire/url.h"
#include "worker/mcp/mcp.h"

#include <string.h>

/* Text of an event that is a message; what is said instead, or nothing, if it may not pass. */
static void take_message(struct connection *connection, const struct sse_event *event)
{
    struct mcp *mcp = connection->exchange->mcp;
    struct vet_rules rules = relay_rules(connection);
    struct vet_state *state = mcp_vet_state(connection);
    struct sse_event out = *event;
    struct vet_result result;

    if (state == NULL) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    rules.resumable = mcp->session != NULL;
    rules.replay = mcp->replay;
    vet_message(state, connection->worker->scratch, &rules, DIRECTION_S2C, event->data.data,
                event->data.length, true, &result);
    mcp_note(connection, DIRECTION_S2C, &result);
    if (result.action == VET_CLOSE) {
        connection_drop(connection, result.reason);
        return;
    }
    if (result.forward.data != NULL)
        out.data = result.forward;
    if (result.action != VET_FORWARD)
        out.data = result.counterpart;
    if (out.data.data != NULL)
        sse_write(&out, &mcp->out);
    if (result.action == VET_REFUSE && result.reply.data != NULL)
        mcp_reply(connection, result.reply);
}

/* The path and query of a URL of the service's own; absent for any other. */
static struct span own_target(const struct exchange *exchange, struct span url)
{
    static const char scheme[] = "http://";
    size_t prefix = sizeof(scheme) - 1, host = strlen(exchange->host);

    if (url.length > prefix + host && memcmp(url.data, scheme, prefix) == 0 &&
        memcmp(url.data + prefix, exchange->host, host) == 0) {
        url.data += prefix + host;
        url.length -= prefix + host;
    }
    if (url.length == 0 || url.data[0] != '/' || (url.length > 1 && url.data[1] == '/'))
        return (struct span){NULL, 0};
    for (size_t i = 0; i < url.length; i++) {
        unsigned char c = (unsigned char)url.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("#\"<>\\^`{|}", c) != NULL)
            return (struct span){NULL, 0};
    }
    return url;
}

/* Where POSTs go in HTTP+SSE (2024-11-05): a route of this surface, and from now on this session's.
 */
static enum reason take_endpoint(struct connection *connection, const struct sse_event *event)
{
    struct mcp *mcp = connection->exchange->mcp;
    struct mcp_session_key key = {connection->surface_index, connection->session_id,
                                  own_target(connection->exchange, event->data)};
    const char *question;
    char path[REQUEST_PATH_BYTES_MAX];
    const struct route *route;
    struct sse_event out = *event;
    struct span raw = key.id;
    struct vet_state *state = mcp_vet_state(connection);

    if (key.id.data == NULL || mcp->session != NULL || mcp->post || state == NULL)
        return REASON_UPSTREAM_PROTOCOL;
    question = memchr(raw.data, '?', raw.length);
    if (question != NULL)
        raw.length = (size_t)(question - raw.data);
    if (url_path_decode(raw, path, sizeof(path)) != OK)
        return REASON_UPSTREAM_PROTOCOL;
    route = admission_route(connection->surface, path, false);
    if (route == NULL || route->kind != ROUTE_MCP_HTTP)
        return REASON_UPSTREAM_PROTOCOL;
    if (mcp_sessions_open(&connection->worker->mcp_sessions, &key, state, &mcp->session) != OK)
        return REASON_CAPACITY;
    mcp->own = NULL;
    mcp->endpoint = true;
    mcp->session->stream = connection;
    out.data = key.id;
    sse_write(&out, &mcp->out);
    return REASON_ALLOWED;
}

/* What an event means depends on its type; of those that MCP does not have, nothing passes. */
static void take_event(struct connection *connection, const struct sse_event *event)
{
    struct mcp *mcp = connection->exchange->mcp;
    struct vet_result unknown = {.action = VET_REFUSE, .reason = REASON_MESSAGE_SHAPE};
    enum reason reason = REASON_ALLOWED;

    if (event->has_id)
        mcp->resumable = true;
    if (event->comment || !event->has_data || event->data.length == 0)
        sse_write(event, &mcp->out);
    else if (!event->has_type || span_equals(event->type, "message"))
        take_message(connection, event);
    else if (span_equals(event->type, "endpoint"))
        reason = take_endpoint(connection, event);
    else
        mcp_note(connection, DIRECTION_S2C, &unknown);
    if (reason_allows(reason) && buffer_failed(&mcp->out))
        reason = REASON_MESSAGE_TOO_BIG;
    if (!reason_allows(reason))
        connection_drop(connection, reason);
}

/* Sends what was written; the connection may be gone after. */
static void flush(struct connection *connection)
{
    struct buffer *out = &connection->exchange->mcp->out;

    if (out->length == 0 || !answer_send_piece(connection, (struct span){out->data, out->length}))
        return;
    if (out->capacity > READ_BYTES)
        buffer_clear(out); /* a large event passes; its memory need not stay */
    else
        buffer_reset(out);
}

bool mcp_events_say(struct connection *stream, struct span text)
{
    const struct sse_event event = {
        .has_type = true, .type = span_of("message"), .has_data = true, .data = text};

    if (stream->state != CONNECTION_EXCHANGE || stream->exchange->phase != EXCHANGE_ANSWERING ||
        stream->exchange->out.length > 2 * READ_BYTES)
        return false;
    sse_write(&event, &stream->exchange->mcp->out);
    flush(stream);
    if (stream->state == CONNECTION_EXCHANGE)
        exchange_watch(stream);
    return true;
}

void mcp_events_receive(struct connection *connection, struct span piece)
{
    size_t at = 0;

    while (connection->state == CONNECTION_EXCHANGE && at < piece.length) {
        struct mcp *mcp = connection->exchange->mcp;
        struct sse_event event;
        size_t taken;

        switch (sse_next(&mcp->events, piece.data + at, piece.length - at, &taken, &event)) {
        case SSE_FAULT:
            connection_drop(connection, mcp->events.too_long ? REASON_MESSAGE_TOO_BIG
                                                             : REASON_UPSTREAM_PROTOCOL);
            return;
        case SSE_MORE:
            at = piece.length;
            break;
        case SSE_EVENT:
            at += taken;
            take_event(connection, &event);
            break;
        }
    }
    if (connection->state == CONNECTION_EXCHANGE)
        flush(connection);
}
