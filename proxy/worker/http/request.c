#include "policy/admission.h"
#include "wire/http_forward.h"
#include "wire/url.h"
#include "worker/mcp/mcp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- The request's head ---- */

/* The query for a service that is sent one the worker may know of. */
static enum reason append_query(const struct connection *connection, const struct ipc_admit *admit,
                                struct buffer *out)
{
    struct buffer query;
    enum reason reason = REASON_ALLOWED;

    if (!connection->route->query_set) {
        if (admit->query != NULL)
            buffer_append_format(out, "?%s", admit->query);
        return REASON_ALLOWED;
    }
    buffer_init(&query, REQUEST_QUERY_BYTES_MAX * 4);
    reason = admission_query(connection->route, admit->query, NULL, &query);
    if (query.length > 0)
        buffer_append_format(out, "?%s", query.data);
    buffer_clear(&query);
    return reason;
}

/* The request line and Host; the broker writes them where the route adds stored values. */
static enum reason compose_line(struct connection *connection, const struct ipc_admit *admit)
{
    struct exchange *exchange = connection->exchange;
    enum reason reason;

    buffer_append_format(&exchange->line, "%s ", admit->method);
    url_encode(span_of(admit->path), true, &exchange->line);
    reason = append_query(connection, admit, &exchange->line);
    buffer_append_format(&exchange->line, " HTTP/1.1\r\nHost: %s\r\n", exchange->host);
    return reason_allows(reason) && buffer_failed(&exchange->line) ? REASON_HEADERS_TOO_LARGE
                                                                   : reason;
}

static enum reason compose_fields(struct connection *connection, bool held)
{
    struct exchange *exchange = connection->exchange;
    const struct route *route = connection->route;
    const struct http_body none = {.done = true};
    enum reason reason = http_forward_request(
        &(struct http_forward_request_options){
            .host = exchange->host,
            .host_public = route->host == HOST_UPSTREAM_PUBLIC,
            .identity_encoding = route->kind == ROUTE_MCP_HTTP || route->answer != NULL,
            .readmit = &route->headers,
            /* Of a held body the length is known later. */
            .body = held ? &none : &exchange->request_body,
        },
        &connection->handshake->request, &exchange->fields);

    return reason_allows(reason) && buffer_failed(&exchange->fields) ? REASON_HEADERS_TOO_LARGE
                                                                     : reason;
}

/* RFC 9110 section 10.1.1: the gate itself says that the body may come. */
static enum reason check_expect(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct span expect;
    enum reason reason = http_request_single(&connection->handshake->request, "expect", &expect);

    exchange->expect_continue = false;
    if (!reason_allows(reason) || expect.data == NULL)
        return reason;
    if (!span_equals_nocase(expect, "100-continue"))
        return REASON_HEADER_INVALID;
    exchange->expect_continue = !exchange->request_body.done;
    return REASON_ALLOWED;
}

static enum reason check_body(const struct connection *connection, bool held)
{
    const struct exchange *exchange = connection->exchange;
    const struct surface_limits *limits = &connection->surface->limits;
    bool bodiless = strcmp(exchange->method, "GET") == 0 || exchange->head_only;

    if (bodiless && !exchange->request_body.done)
        return REASON_MALFORMED; /* RFC 9110 section 9.3.1: no meaning, and two readings */
    if (exchange->request_body.kind == HTTP_BODY_LENGTH &&
        exchange->request_body.left > (held ? limits->max_message_bytes : limits->max_body_bytes))
        return held ? REASON_MESSAGE_TOO_BIG : REASON_BODY_TOO_LARGE;
    return REASON_ALLOWED;
}

/* What this request is, and whether the grant reaches that far. */
static enum reason read_request(struct connection *connection, const struct ipc_admit *admit)
{
    struct exchange *exchange = connection->exchange;
    struct request request = {.method = admit->method, .path = admit->path};
    enum reason reason;

    if (time(NULL) >= connection->expires_at)
        return REASON_SESSION_EXPIRED;
    connection->route = admission_route(connection->surface, admit->path, false);
    if (connection->route == NULL)
        return REASON_ROUTE_UNKNOWN;
    reason = admission_method(connection->route, &request);
    if (!reason_allows(reason))
        return reason;
    if (connection->route->kind == ROUTE_WEBSOCKET)
        return REASON_UPGRADE_REQUIRED;
    if (strlen(admit->method) >= sizeof(exchange->method))
        return REASON_METHOD_REFUSED;
    memcpy(exchange->method, admit->method, strlen(admit->method) + 1);
    exchange->head_only = strcmp(admit->method, "HEAD") == 0;
    exchange->keep_alive =
        !http_request_has_token(&connection->handshake->request, "connection", "close");
    exchange->stored = connection->route->inject_count > 0 || connection->route->body != NULL;
    exchange->host = strdup(config_route_host(connection->route, admit->host));
    if (exchange->host == NULL)
        return REASON_CAPACITY;
    return http_body_of_request(&connection->handshake->request, true, &exchange->request_body);
}

/* The service's own token, which page code could only put into the query. */
static enum reason append_bearer(struct connection *connection, const struct ipc_admit *admit)
{
    struct buffer *fields = &connection->exchange->fields;
    char token[ADMISSION_BEARER_SIZE];

    if (admission_query_bearer(connection->route, admit->query, token, sizeof(token)))
        buffer_append_format(fields, "Authorization: Bearer %s\r\n", token);
    return buffer_failed(fields) ? REASON_HEADERS_TOO_LARGE : REASON_ALLOWED;
}

static enum reason compose(struct connection *connection, const struct ipc_admit *admit, bool held)
{
    enum reason reason = check_expect(connection);

    if (reason_allows(reason))
        reason = check_body(connection, held);
    if (reason_allows(reason) && !connection->exchange->stored)
        reason = compose_line(connection, admit);
    if (reason_allows(reason))
        reason = compose_fields(connection, held);
    if (reason_allows(reason))
        reason = append_bearer(connection, admit);
    return reason;
}

/* ---- Links ---- */

static struct ipc_dial plain_dial(const struct connection *connection)
{
    return (struct ipc_dial){
        .connection = connection->id,
        .surface = connection->surface_index,
        .request_id = connection->handshake->request_id,
        .session_id = connection->session_id,
        .method = connection->exchange->method,
        .path = connection->handshake->path,
        .host = connection->exchange->grant.host,
        .caller_known = connection->caller_known,
        .caller_uid = connection->caller_uid,
    };
}

void request_dial(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct ipc_dial dial = plain_dial(connection);

    if (exchange->stored) {
        dial.query = connection->handshake->request.query.data;
        dial.fields = exchange->fields.data != NULL ? exchange->fields.data : "";
        dial.body_value = exchange->body_digest[0] != '\0' ? exchange->body_digest : NULL;
    }
    exchange->phase = EXCHANGE_DIALLING;
    connection->deadline_ms =
        worker_now_ms(connection->worker) + connection->surface->limits.upstream_timeout_ms;
    report_dial(connection, &dial);
}

void request_dial_for_reply(struct connection *connection)
{
    const struct ipc_dial dial = plain_dial(connection);

    report_dial(connection, &dial);
}

/* Writes the request's head, and its body if that was held. */
static bool send_head(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    char length[64] = "";
    struct iovec parts[OUTGOING_PARTS_MAX] = {
        {exchange->line.data, exchange->line.length},
        {exchange->fields.data, exchange->fields.length},
        {length, 0},
        {exchange->held.data != NULL ? exchange->held.data + PRE_BYTES : NULL,
         exchange->held.length},
    };

    if (exchange->stored) {
        parts[0].iov_len = parts[1].iov_len = 0;
        parts[3].iov_len = connection->route->body != NULL ? 0 : exchange->held.length;
        return outgoing_send(&exchange->upstream->out, exchange->upstream->fd,
                             worker_now_ms(connection->worker), parts, OUTGOING_PARTS_MAX);
    }
    parts[2].iov_len = (size_t)snprintf(
        length, sizeof(length), exchange->held.active ? "Content-Length: %zu\r\n\r\n" : "\r\n",
        exchange->held.length);
    return outgoing_send(&exchange->upstream->out, exchange->upstream->fd,
                         worker_now_ms(connection->worker), parts, OUTGOING_PARTS_MAX);
}

bool request_again(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (!exchange->upstream->reused || exchange->retried)
        return false;
    exchange->retried = true;
    exchange->deaf = false;
    pool_drop(exchange->upstream);
    exchange->upstream = NULL;
    request_dial(connection);
    return true;
}

/* The client that waits to be told that its body is wanted is told; false if it has gone. */
static bool invite_body(struct connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec part = {(void *)(uintptr_t)line, sizeof(line) - 1};

    if (!connection->exchange->expect_continue)
        return true;
    connection->exchange->expect_continue = false;
    return exchange_send(connection, &part, 1);
}

static void start_sending(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    exchange->phase = EXCHANGE_SENDING;
    connection->deadline_ms =
        worker_now_ms(connection->worker) + connection->surface->limits.response_timeout_ms;
    if (!send_head(connection)) {
        /* A link that was closed while it was idle took nothing. */
        if (!request_again(connection))
            connection_drop(connection, REASON_UPSTREAM_GONE);
        return;
    }
    if (exchange->request_body.done && !exchange->pipelined)
        handshake_free_head(connection->handshake);
    if (invite_body(connection))
        exchange_client_ready(connection, 0);
}

static void find_link(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    exchange->upstream = exchange->stored ? NULL : pool_take(connection);
    if (exchange->upstream != NULL)
        start_sending(connection);
    else
        request_dial(connection);
    if (connection->state == CONNECTION_EXCHANGE)
        exchange_watch(connection);
}

void exchange_linked(struct connection *connection, enum reason reason, int fd)
{
    if (!reason_allows(reason)) {
        connection_drop(connection, reason);
        return;
    }
    if (pool_adopt(connection, fd, &connection->exchange->upstream) != OK) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    start_sending(connection);
    if (connection->state == CONNECTION_EXCHANGE)
        exchange_watch(connection);
}

void exchange_forward(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    /* The broker ends the head, so the length of what follows must be in it. */
    if (exchange->stored && connection->route->body == NULL)
        buffer_append_format(&exchange->fields, "Content-Length: %zu\r\n", exchange->held.length);
    find_link(connection);
}

/* ---- The request ---- */

/* An MCP client understands that its session is not there, if it is told in its own words. */
static void refuse_request(struct connection *connection, enum reason reason)
{
    if (reason != REASON_MCP_SESSION_UNKNOWN) {
        connection_drop(connection, reason);
        return;
    }
    report_denied(connection, reason, NULL);
    connection->exchange->keep_alive = false;
    mcp_refuse(connection, &(struct mcp_http_refused){.reason = reason});
}

void exchange_begin(struct connection *connection, const struct ipc_admit *admit)
{
    struct exchange *exchange = connection->exchange;
    bool held = false;
    enum reason reason;

    connection->state = CONNECTION_EXCHANGE;
    connection->deadline_ms = 0;
    exchange->phase = EXCHANGE_HOLDING; /* something is to be answered from here on */
    exchange->requests++;
    exchange->activity_ms = worker_now_ms(connection->worker);
    reason = read_request(connection, admit);
    if (reason_allows(reason))
        reason = held_begin(connection, admit, &held);
    if (reason_allows(reason))
        reason = compose(connection, admit, held);
    if (!reason_allows(reason)) {
        refuse_request(connection, reason);
        return;
    }
    exchange->pipelined =
        exchange->request_body.done &&
        connection->handshake->head_length > connection->handshake->request.head_bytes;
    if (!held) {
        find_link(connection);
        return;
    }
    assembly_begin(&exchange->held, exchange->activity_ms);
    if (invite_body(connection))
        exchange_client_ready(connection, 0);
}
