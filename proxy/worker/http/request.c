#include "worker/http/request.h"

#include "base/pace.h"
#include "policy/admission.h"
#include "wire/http_forward.h"
#include "worker/client/rates.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* ---- Whether it may ---- */

enum reason request_judge(struct exchange *exchange, const struct head *head)
{
    const struct route *route = exchange->connection->route;
    const struct request *asked = &head->asked.request;
    char room[CONFIG_LOCALHOST_SIZE];
    enum reason reason;

    if (time(NULL) >= exchange->connection->expires_at)
        return REASON_SESSION_EXPIRED;
    if (route == NULL)
        return head->route_fault;
    reason = admission_method(route, asked);
    if (!reason_allows(reason))
        return reason;
    if (route->kind == ROUTE_WEBSOCKET)
        return REASON_UPGRADE_REQUIRED;
    if (strlen(asked->method) >= sizeof(exchange->method))
        return REASON_METHOD_REFUSED;
    memcpy(exchange->method, asked->method, strlen(asked->method) + 1);
    exchange->connection->client->asker.method = exchange->method;
    exchange->head_only = strcmp(asked->method, "HEAD") == 0;
    exchange->keep_alive = !http_fields_have_token(&head->request.fields, "connection", "close");
    exchange->stored = route->inject_count > 0 || route->body != NULL;
    exchange->host =
        strdup(config_route_host(route, asked->host, exchange->connection->listener->port, room));
    if (exchange->host == NULL)
        return REASON_OUT_OF_MEMORY;
    return http_body_of_request(&head->request, true, &exchange->request_body);
}

/* ---- Its head ---- */

/* The query for a service that is sent one the worker may know of. */
static enum reason append_query(const struct route *route, const char *query_sent,
                                struct buffer *out)
{
    struct buffer query;
    enum reason reason = REASON_ALLOWED;

    if (!route->query_set) {
        if (query_sent != NULL)
            buffer_append_format(out, "?%s", query_sent);
        return REASON_ALLOWED;
    }
    buffer_init(&query, REQUEST_QUERY_BYTES_MAX * 4);
    reason = admission_query(route, query_sent, NULL, &query);
    if (query.length > 0)
        buffer_append_format(out, "?%s", query.data);
    buffer_clear(&query);
    return reason;
}

/* The request line and Host; the broker writes them where the route adds stored values. */
static enum reason compose_line(struct exchange *exchange, const struct request *asked)
{
    enum reason reason;

    buffer_append_format(&exchange->line, "%s ", asked->method);
    buffer_append_text(&exchange->line, asked->raw_path);
    reason = append_query(exchange->connection->route, asked->query, &exchange->line);
    buffer_append_format(&exchange->line, " HTTP/1.1\r\nHost: %s\r\n", exchange->host);
    return reason;
}

static enum reason compose_fields(struct exchange *exchange, const struct head *head, bool held)
{
    const struct route *route = exchange->connection->route;
    const struct http_body none = {.done = true};
    char token[ADMISSION_BEARER_SIZE];
    enum reason reason = http_forward_request(
        &(struct http_forward_request_options){
            .host = exchange->host,
            .host_public = route->host.kind == HOST_UPSTREAM_PUBLIC,
            .identity_encoding = exchange->gate->reads_answer,
            .readmit = &route->headers,
            /* Of a held body the length is known later; what the broker writes it frames itself. */
            .body = held || exchange->stored ? &none : &exchange->request_body,
        },
        &head->request, &exchange->fields);

    /* The service's own token, which page code could only put into the query. */
    if (!exchange->stored &&
        admission_query_bearer(route, head->asked.request.query, token, sizeof(token)))
        buffer_append_format(&exchange->fields, "Authorization: Bearer %s\r\n", token);
    return reason;
}

/* RFC 9110 section 10.1.1: the gate itself says that the body may come. */
static enum reason check_expect(struct exchange *exchange, const struct http_request *request)
{
    struct span expect;
    enum reason reason = http_fields_single(&request->fields, "expect", &expect);

    exchange->expect_continue = false;
    if (!reason_allows(reason) || expect.data == NULL)
        return reason;
    if (!span_equals_nocase(expect, "100-continue"))
        return REASON_EXPECT;
    exchange->expect_continue = !exchange->request_body.done;
    return REASON_ALLOWED;
}

static enum reason check_body(const struct exchange *exchange, bool held)
{
    const struct surface_limits *limits = exchange_limits(exchange);
    bool bodiless = strcmp(exchange->method, "GET") == 0 || exchange->head_only;

    if (bodiless && !exchange->request_body.done)
        return REASON_BODY_UNEXPECTED; /* RFC 9110 section 9.3.1: no meaning, and two readings */
    if (exchange->request_body.kind == HTTP_BODY_LENGTH &&
        exchange->request_body.left > (held ? limits->max_message_bytes : limits->max_body_bytes))
        return held ? REASON_MESSAGE_TOO_BIG : REASON_BODY_TOO_LARGE;
    return REASON_ALLOWED;
}

enum reason request_compose(struct exchange *exchange, const struct head *head, bool held)
{
    enum reason reason = check_expect(exchange, &head->request);

    if (reason_allows(reason))
        reason = check_body(exchange, held);
    if (reason_allows(reason) && !exchange->stored)
        reason = compose_line(exchange, &head->asked.request);
    if (reason_allows(reason))
        reason = compose_fields(exchange, head, held);
    if (reason_allows(reason) &&
        (buffer_failed(&exchange->line) || buffer_failed(&exchange->fields)))
        reason = REASON_HEADERS_TOO_LARGE;
    return reason;
}

/* ---- Its way out ---- */

bool request_write(struct exchange *exchange)
{
    const struct span body = exchange_text(exchange);
    char length[64] = "";
    struct iovec parts[OUTGOING_PARTS_MAX] = {
        {exchange->line.data, exchange->line.length},
        {exchange->fields.data, exchange->fields.length},
        {length, 0},
        {(void *)(uintptr_t)body.data, body.length},
    };

    if (exchange->stored) {
        parts[0].iov_len = parts[1].iov_len = 0;
        if (exchange->connection->route->body != NULL)
            parts[3].iov_len = 0;
    } else {
        parts[2].iov_len = (size_t)snprintf(
            length, sizeof(length), exchange->held.active ? "Content-Length: %zu\r\n\r\n" : "\r\n",
            body.length);
    }
    return endpoint_send(&exchange->link->endpoint, parts, OUTGOING_PARTS_MAX);
}

/* ---- Its body ---- */

/*
 * A service that takes no more may have answered all the same: what it said is
 * still to be read, and its end is told by its side of the link.
 */
static void send_body(struct exchange *exchange, const struct iovec *parts, size_t count)
{
    if (!exchange->deaf && !endpoint_send(&exchange->link->endpoint, parts, count))
        exchange_turn_deaf(exchange);
}

/* One piece of the body, held or streamed. */
static enum reason take_piece(struct exchange *exchange, struct span piece)
{
    struct framed_piece framed;

    if (piece.length == 0)
        return REASON_ALLOWED;
    exchange->request_bytes += piece.length;
    if (exchange->phase == EXCHANGE_HOLDING)
        return assembly_append(&exchange->held, (const unsigned char *)piece.data, piece.length,
                               exchange->request_body.kind == HTTP_BODY_LENGTH
                                   ? exchange->request_body.left
                                   : 0,
                               exchange_limits(exchange)->max_message_bytes) == OK
                   ? REASON_ALLOWED
                   : REASON_MESSAGE_TOO_BIG;
    if (exchange->request_bytes > exchange_limits(exchange)->max_body_bytes)
        return REASON_BODY_TOO_LARGE;
    exchange_frame(&framed, piece, exchange->request_body.kind == HTTP_BODY_CHUNKED);
    send_body(exchange, framed.parts, 3);
    return REASON_ALLOWED;
}

/* Body bytes of the client; *taken of them belonged to it. */
static enum reason take_bytes(struct exchange *exchange, const char *bytes, size_t length,
                              size_t *taken)
{
    const struct iovec last = {(void *)(uintptr_t)HTTP_LAST_CHUNK, sizeof(HTTP_LAST_CHUNK) - 1};
    enum reason reason = REASON_ALLOWED;

    exchange->activity_ms = exchange_now_ms(exchange);
    exchange->body_clock_ms =
        pace_pay(exchange->body_clock_ms, exchange->activity_ms, (uint64_t)length);
    if (exchange->phase == EXCHANGE_SENDING)
        exchange->connection->deadline_ms =
            exchange->activity_ms + exchange_limits(exchange)->response_timeout_ms;
    for (*taken = 0; reason_allows(reason) && *taken < length && !exchange->request_body.done;) {
        struct span piece;
        size_t some;
        enum http_progress progress =
            http_body_next(&exchange->request_body, bytes + *taken, length - *taken, &some, &piece);

        if (progress == HTTP_FAULT)
            return http_body_fault(&exchange->request_body);
        *taken += some;
        rates_owe(exchange->connection, ALLOWANCE_BYTES, some);
        reason = take_piece(exchange, piece);
        if (reason_allows(reason) && progress == HTTP_COMPLETE &&
            exchange->phase != EXCHANGE_HOLDING && exchange->request_body.kind == HTTP_BODY_CHUNKED)
            send_body(exchange, &last, 1);
    }
    return reason;
}

/* Body bytes that came with the head. */
static enum reason take_early_bytes(struct exchange *exchange)
{
    struct head *head = exchange->connection->client->head;
    size_t at, taken = 0;
    enum reason reason;

    if (head == NULL || exchange->request_body.done || head->length <= head->request.head_bytes)
        return REASON_ALLOWED;
    at = head->request.head_bytes;
    reason = take_bytes(exchange, head->bytes + at, head->length - at, &taken);
    head->request.head_bytes += taken;
    exchange->pipelined = exchange->request_body.done && head->length > head->request.head_bytes;
    return reason;
}

/* What came after the body is the beginning of the next request. */
static enum reason keep_rest(struct exchange *exchange, const unsigned char *bytes, size_t length)
{
    struct client *client = exchange->connection->client;

    if (length == 0)
        return REASON_ALLOWED;
    if (length > HTTP_HEAD_BYTES_MAX)
        return REASON_HEADERS_TOO_LARGE;
    client_forget_head(client);
    client->head = head_create();
    if (client->head == NULL)
        return REASON_OUT_OF_MEMORY;
    head_replace(client->head, bytes, length);
    exchange->pipelined = true;
    return REASON_ALLOWED;
}

static enum reason read_body(struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;
    unsigned char *buffer = connection->worker->read_buffer;
    bool chunked = exchange->request_body.kind == HTTP_BODY_CHUNKED;
    size_t room = chunked ? HTTP_HEAD_BYTES_MAX : READ_BYTES, taken;
    ssize_t received;
    enum reason reason;

    if (!chunked && exchange->request_body.left < room)
        room = (size_t)exchange->request_body.left;
    received = endpoint_receive(&connection->client->endpoint, buffer, room);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return REASON_ALLOWED;
    if (received <= 0)
        return REASON_CLIENT_CLOSED;
    reason = take_bytes(exchange, (const char *)buffer, (size_t)received, &taken);
    if (reason_allows(reason))
        reason = keep_rest(exchange, buffer + taken, (size_t)received - taken);
    return reason;
}

enum reason request_receive(struct exchange *exchange, int events)
{
    enum reason reason;

    if ((events & UV_WRITABLE) != 0 && !endpoint_flush(&exchange->connection->client->endpoint))
        return REASON_CLIENT_CLOSED;
    if (exchange_wants_body(exchange)) {
        reason = take_early_bytes(exchange);
        if (reason_allows(reason) && (events & UV_READABLE) != 0 && exchange_wants_body(exchange))
            reason = read_body(exchange);
        return reason;
    }
    if ((events & UV_DISCONNECT) != 0)
        return REASON_CLIENT_CLOSED;
    if ((events & UV_READABLE) != 0)
        exchange->pipelined = true;
    return REASON_ALLOWED;
}
