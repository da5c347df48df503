/*
 * Bodies that are held until somebody has looked into them: a request's whose
 * value is stored (the route's `body`), an answer's whose URLs are rewritten, and
 * the messages of MCP over HTTP (mcp.c).
 */
#include "vet/mcp_http.h"
#include "vet/rewrite.h"
#include "vet/stored_body.h"
#include "worker/mcp/mcp.h"

#include <string.h>

enum reason held_check_json(const struct http_request *request)
{
    struct span type, coding;
    enum reason reason = http_request_single(request, "content-type", &type);

    if (reason_allows(reason))
        reason = http_request_single(request, "content-encoding", &coding);
    if (!reason_allows(reason))
        return reason;
    if (coding.data != NULL && !span_equals_nocase(coding, "identity"))
        return REASON_CONTENT_ENCODING;
    return http_media_type_is_json(type) ? REASON_ALLOWED : REASON_CONTENT_TYPE;
}

enum reason held_begin(struct connection *connection, const struct ipc_admit *admit, bool *hold)
{
    *hold = false;
    if (connection->route->kind == ROUTE_MCP_HTTP)
        return mcp_begin(connection, admit, hold);
    if (connection->route->body == NULL)
        return REASON_ALLOWED;
    *hold = true;
    return held_check_json(&connection->handshake->request);
}

struct span held_text(const struct exchange *exchange)
{
    if (exchange->whole.data != NULL)
        return exchange->whole;
    if (exchange->held.data == NULL)
        return (struct span){"", 0};
    return (struct span){(const char *)exchange->held.data + PRE_BYTES, exchange->held.length};
}

void held_complete(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    enum reason reason;

    if (exchange->mcp != NULL) {
        mcp_request(connection);
        return;
    }
    reason = stored_body_digest(connection->worker->scan, connection->route->body,
                                held_text(exchange), exchange->body_digest);
    if (reason_allows(reason))
        exchange_forward(connection);
    else
        connection_drop(connection, reason);
}

/* ---- Answers ---- */

enum reason held_answer_begin(struct connection *connection, const struct http_response *response,
                              enum answer_mode *mode)
{
    struct span type, coding;

    if (connection->exchange->mcp != NULL)
        return mcp_answer_begin(connection, response, mode);
    *mode = ANSWER_STREAM;
    if (connection->route->answer == NULL || connection->exchange->answer_body.done)
        return REASON_ALLOWED;
    if (!reason_allows(http_response_single(response, "content-type", &type)) ||
        !reason_allows(http_response_single(response, "content-encoding", &coding)))
        return REASON_UPSTREAM_PROTOCOL;
    if (!http_media_type_is_json(type))
        return REASON_ALLOWED;
    if (coding.data != NULL && !span_equals_nocase(coding, "identity"))
        return REASON_UPSTREAM_PROTOCOL;
    *mode = ANSWER_HOLD;
    return REASON_ALLOWED;
}

bool held_response(const struct exchange *exchange, struct http_response *out)
{
    enum reason reason;

    return http_response_parse(exchange->head.data, exchange->head.length, out, &reason) ==
           HTTP_COMPLETE;
}

void held_send(struct connection *connection, const struct http_response *response,
               struct span text)
{
    const struct http_body framing = {.kind = HTTP_BODY_LENGTH, .left = text.length};

    if (answer_send(connection, response, &framing, text))
        exchange_finish(connection);
}

static void rewrite(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    const struct rewrite_addresses addresses = {.sent = exchange->host,
                                                .client = exchange->grant.host,
                                                .secure = connection->surface->tls != NULL};
    struct span text = held_text(exchange);
    struct http_response response;
    struct buffer rewritten;

    buffer_init(&rewritten, 2 * (size_t)connection->surface->limits.max_message_bytes);
    if (!held_response(exchange, &response) ||
        !reason_allows(rewrite_answer(connection->worker->scan, connection->route->answer,
                                      &addresses, text, &rewritten)))
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
    else
        held_send(connection, &response,
                  rewritten.length > 0 ? (struct span){rewritten.data, rewritten.length} : text);
    buffer_clear(&rewritten);
}

void held_answer(struct connection *connection)
{
    if (connection->exchange->mcp != NULL)
        mcp_answer(connection);
    else
        rewrite(connection);
}
