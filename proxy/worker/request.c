#include "policy/admission.h"
#include "wire/http_forward.h"
#include "wire/url.h"
#include "worker/mcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
    if (strlen(admit->method) > REQUEST_METHOD_BYTES_MAX)
        return REASON_METHOD_REFUSED;
    strcpy(exchange->method, admit->method);
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
    assembly_begin(&exchange->held, false, exchange->activity_ms);
    if (invite_body(connection))
        exchange_client_ready(connection, 0);
}

/*
 * A service that takes no more may have answered all the same: what it said is
 * still to be read, and its end is told by its side of the link.
 */
static void send_body(struct connection *connection, const struct iovec *parts, size_t count)
{
    struct exchange *exchange = connection->exchange;

    if (!exchange->deaf && !outgoing_send(&exchange->upstream->out, exchange->upstream->fd,
                                          worker_now_ms(connection->worker), parts, count)) {
        exchange->deaf = true;
        outgoing_clear(&exchange->upstream->out);
    }
}

/* One piece of the body, held or streamed. */
static enum reason take_piece(struct connection *connection, struct span piece)
{
    struct exchange *exchange = connection->exchange;
    struct framed_piece framed;

    if (piece.length == 0)
        return REASON_ALLOWED;
    exchange->request_bytes += piece.length;
    if (exchange->phase == EXCHANGE_HOLDING)
        return assembly_append(&exchange->held, (const unsigned char *)piece.data, piece.length,
                               exchange->request_body.kind == HTTP_BODY_LENGTH
                                   ? exchange->request_body.left
                                   : 0,
                               connection->surface->limits.max_message_bytes) == OK
                   ? REASON_ALLOWED
                   : REASON_MESSAGE_TOO_BIG;
    if (exchange->request_bytes > connection->surface->limits.max_body_bytes)
        return REASON_BODY_TOO_LARGE;
    exchange_frame(&framed, piece, exchange->request_body.kind == HTTP_BODY_CHUNKED);
    send_body(connection, framed.parts, 3);
    return REASON_ALLOWED;
}

static void end_body(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    const struct iovec last = {(void *)(uintptr_t)HTTP_LAST_CHUNK, sizeof(HTTP_LAST_CHUNK) - 1};

    if (exchange->phase != EXCHANGE_HOLDING && exchange->request_body.kind == HTTP_BODY_CHUNKED)
        send_body(connection, &last, 1);
}

/* Body bytes of the client; *taken of them belonged to it. */
static enum reason take_bytes(struct connection *connection, const char *bytes, size_t length,
                              size_t *taken)
{
    struct exchange *exchange = connection->exchange;
    enum reason reason = REASON_ALLOWED;

    exchange->activity_ms = worker_now_ms(connection->worker);
    for (*taken = 0; reason_allows(reason) && *taken < length && !exchange->request_body.done;) {
        struct span piece;
        size_t some;
        enum http_progress progress =
            http_body_next(&exchange->request_body, bytes + *taken, length - *taken, &some, &piece);

        if (progress == HTTP_FAULT)
            return REASON_MALFORMED;
        *taken += some;
        reason = take_piece(connection, piece);
        if (reason_allows(reason) && progress == HTTP_COMPLETE)
            end_body(connection);
    }
    return reason;
}

/* Body bytes that came with the head. */
static enum reason take_early_bytes(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;
    size_t at = handshake->request.head_bytes, taken = 0;
    enum reason reason;

    if (handshake->head_length <= at || connection->exchange->request_body.done)
        return REASON_ALLOWED;
    reason = take_bytes(connection, handshake->head + at, handshake->head_length - at, &taken);
    handshake->request.head_bytes += taken;
    return reason;
}

/* What came after the body is the beginning of the next request. */
static enum reason keep_rest(struct connection *connection, const unsigned char *bytes,
                             size_t length)
{
    struct handshake *handshake = connection->handshake;

    if (length == 0)
        return REASON_ALLOWED;
    if (length > HTTP_HEAD_BYTES_MAX)
        return REASON_HEADERS_TOO_LARGE;
    memcpy(handshake->head, bytes, length);
    handshake->head_length = length;
    handshake->request.head_bytes = 0;
    connection->exchange->pipelined = true;
    return REASON_ALLOWED;
}

static enum reason read_body(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    unsigned char *buffer = connection->worker->read_buffer;
    bool chunked = exchange->request_body.kind == HTTP_BODY_CHUNKED;
    size_t room = chunked ? HTTP_HEAD_BYTES_MAX : READ_BYTES, taken;
    ssize_t received;
    enum reason reason;

    if (!chunked && exchange->request_body.left < room)
        room = (size_t)exchange->request_body.left;
    received = recv(connection->handshake->fd, buffer, room, 0);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return REASON_ALLOWED;
    if (received <= 0)
        return REASON_CLIENT_CLOSED;
    reason = take_bytes(connection, (const char *)buffer, (size_t)received, &taken);
    if (reason_allows(reason))
        reason = keep_rest(connection, buffer + taken, (size_t)received - taken);
    return reason;
}

void exchange_client_ready(struct connection *connection, int events)
{
    struct exchange *exchange = connection->exchange;
    enum reason reason = REASON_ALLOWED;

    if ((events & UV_WRITABLE) != 0 && !outgoing_flush(&exchange->out, connection->handshake->fd,
                                                       worker_now_ms(connection->worker)))
        reason = REASON_CLIENT_CLOSED;
    if (reason_allows(reason) && exchange_wants_body(exchange)) {
        reason = take_early_bytes(connection);
        if (reason_allows(reason) && (events & UV_READABLE) != 0 && exchange_wants_body(exchange))
            reason = read_body(connection);
    } else if ((events & UV_DISCONNECT) != 0) {
        reason = REASON_CLIENT_CLOSED;
    } else if ((events & UV_READABLE) != 0) {
        exchange->pipelined = true;
    }
    if (!reason_allows(reason)) {
        connection_drop(connection, reason);
        return;
    }
    if (exchange->phase == EXCHANGE_HOLDING && exchange->request_body.done)
        held_complete(connection);
    else if (exchange->phase == EXCHANGE_IDLE && outgoing_empty(&exchange->out))
        exchange_finish(connection);
    if (connection->state == CONNECTION_EXCHANGE)
        exchange_watch(connection);
}
