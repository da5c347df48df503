#include "worker/mcp/mcp.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES_MAX (4 * HTTP_HEAD_BYTES_MAX)

enum error exchange_create(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (exchange != NULL)
        return OK;
    exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL)
        return ERROR_MEMORY;
    buffer_init(&exchange->line, LINE_BYTES_MAX);
    buffer_init(&exchange->fields, LINE_BYTES_MAX);
    buffer_init(&exchange->head, HTTP_HEAD_BYTES_MAX + ANSWER_READ_BYTES);
    buffer_init(&exchange->reply, HTTP_HEAD_BYTES_MAX);
    connection->exchange = exchange;
    return OK;
}

/* Forgets the request; the grant and what still has to be sent stay. */
static void reset(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    mcp_end(connection);
    pool_drop(exchange->upstream);
    exchange->upstream = NULL;
    buffer_clear(&exchange->line);
    buffer_clear(&exchange->fields);
    buffer_clear(&exchange->head);
    assembly_clear(&exchange->held);
    exchange->whole = (struct span){NULL, 0};
    free(exchange->host);
    exchange->host = NULL;
    exchange->phase = EXCHANGE_IDLE;
    exchange->mode = ANSWER_STREAM;
    exchange->stored = exchange->retried = exchange->deaf = false;
    exchange->answer_begun = exchange->answer_chunked = false;
    exchange->answer_body = (struct http_body){0};
    exchange->interim = 0;
    exchange->request_bytes = 0;
    exchange->body_digest[0] = '\0';
}

void exchange_destroy(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (exchange == NULL)
        return;
    reset(connection);
    grant_end(connection, connection->reason);
    outgoing_clear(&exchange->out);
    buffer_clear(&exchange->reply);
    free(exchange);
    connection->exchange = NULL;
}

/* ---- Sending to the client ---- */

bool exchange_send(struct connection *connection, const struct iovec *parts, size_t count)
{
    struct exchange *exchange = connection->exchange;

    if (outgoing_send(&exchange->out, connection->handshake->fd, worker_now_ms(connection->worker),
                      parts, count))
        return true;
    connection_drop(connection, REASON_CLIENT_CLOSED);
    return false;
}

bool exchange_send_answer(struct connection *connection, struct span head, struct span body)
{
    struct exchange *exchange = connection->exchange;
    struct assembly *held = &exchange->held;
    struct iovec parts[2] = {{(void *)(uintptr_t)head.data, head.length},
                             {(void *)(uintptr_t)body.data, body.length}};
    struct outgoing rest = {
        .data = held->data, .length = held->length, .offset = PRE_BYTES, .progress_ms = 0};

    if (held->data == NULL || body.data != held_text(exchange).data || body.length != held->length)
        return exchange_send(connection, parts, 2);
    *held = (struct assembly){0};
    if (outgoing_send_block(&exchange->out, connection->handshake->fd,
                            worker_now_ms(connection->worker), parts, &rest))
        return true;
    connection_drop(connection, REASON_CLIENT_CLOSED);
    return false;
}

void exchange_frame(struct framed_piece *framed, struct span piece, bool chunked)
{
    framed->parts[0] = (struct iovec){
        framed->header, chunked ? http_chunk_header(framed->header, piece.length) : 0};
    framed->parts[1] = (struct iovec){(void *)(uintptr_t)piece.data, piece.length};
    framed->parts[2] = (struct iovec){(void *)(uintptr_t) "\r\n", chunked ? 2 : 0};
}

bool exchange_wants_body(const struct exchange *exchange)
{
    if (exchange->request_body.done || exchange->deaf)
        return false;
    return exchange->phase == EXCHANGE_HOLDING ||
           (exchange->upstream != NULL && outgoing_empty(&exchange->upstream->out) &&
            exchange->phase >= EXCHANGE_SENDING);
}

void exchange_watch(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct upstream *upstream = exchange->upstream;
    bool read_client =
        exchange_wants_body(exchange) || (exchange->request_body.done && !exchange->pipelined);
    bool read_upstream = outgoing_empty(&exchange->out);

    if (connection->state != CONNECTION_EXCHANGE)
        return;
    handshake_watch(connection, UV_DISCONNECT | (read_client ? UV_READABLE : 0) |
                                    (outgoing_empty(&exchange->out) ? 0 : UV_WRITABLE));
    if (upstream != NULL)
        pool_watch(upstream, (read_upstream ? UV_READABLE : 0) |
                                 (outgoing_empty(&upstream->out) ? 0 : UV_WRITABLE));
}

/* ---- Its end ---- */

/* Both sides have had their say: the link is good for another exchange, if nothing is left on it.
 */
static void release_upstream(struct exchange *exchange)
{
    struct upstream *upstream = exchange->upstream;

    exchange->upstream = NULL;
    if (upstream == NULL)
        return;
    if (exchange->answer_body.done && !exchange->answer_body.closes &&
        exchange->request_body.done && !exchange->deaf && outgoing_empty(&upstream->out))
        pool_give(upstream);
    else
        pool_drop(upstream);
}

void exchange_finish(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    release_upstream(exchange);
    reset(connection);
    connection->deadline_ms = 0;
    if (!outgoing_empty(&exchange->out)) {
        exchange_watch(connection);
        return; /* and comes back when the client has taken it */
    }
    if (exchange->keep_alive && exchange->request_body.done && !connection->worker->draining) {
        handshake_next(connection);
        return;
    }
    grant_end(connection, REASON_CLIENT_CLOSED);
    handshake_answer(connection);
}

void exchange_drop(struct connection *connection, enum reason reason)
{
    struct exchange *exchange = connection->exchange;
    bool begun = exchange->answer_begun || exchange->phase == EXCHANGE_IDLE;

    pool_drop(exchange->upstream);
    exchange->upstream = NULL;
    if (!begun && reason != REASON_CLIENT_CLOSED) {
        outgoing_clear(&exchange->out);
        handshake_deny(connection, reason);
        grant_end(connection, reason);
        return;
    }
    /* An answer that stops short of its end is the only way to say that it has no end. */
    grant_end(connection, reason);
    connection->state = CONNECTION_LINGERING;
    handshake_end(connection);
    connection_release(connection);
}

void exchange_answer(struct connection *connection, unsigned status, const char *type,
                     struct span text)
{
    struct exchange *exchange = connection->exchange;
    char head[512];
    struct iovec parts[2] = {{head, 0}, {(void *)(uintptr_t)text.data, text.length}};

    if (!exchange->request_body.done)
        exchange->keep_alive = false;
    parts[0].iov_len = (size_t)snprintf(
        head, sizeof(head),
        "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n%s\r\n",
        status, http_status_phrase(status), type, text.length,
        exchange->keep_alive ? "" : "Connection: close\r\n");
    exchange->answer_begun = true;
    if (exchange_send(connection, parts, exchange->head_only ? 1 : 2))
        exchange_finish(connection);
}

/* ---- Time ---- */

static bool is_stalled(const struct outgoing *out, uint64_t now_ms, uint64_t limit_ms)
{
    return !outgoing_empty(out) && now_ms - out->progress_ms > limit_ms;
}

/* Of a body that is held: from its first byte to its last. */
static bool is_held_too_long(const struct exchange *exchange, uint64_t now_ms, uint64_t limit_ms)
{
    return exchange->held.active && exchange->phase != EXCHANGE_SENDING &&
           now_ms - exchange->held.since_ms > limit_ms;
}

/* Whether the service owes bytes: an answer of a known length is one that it has; a stream may be
 * silent. */
static bool is_answer_due(const struct exchange *exchange)
{
    return exchange->phase == EXCHANGE_ANSWERING &&
           exchange->answer_body.kind == HTTP_BODY_LENGTH && outgoing_empty(&exchange->out);
}

static enum reason overdue(const struct connection *connection, uint64_t now_ms)
{
    const struct exchange *exchange = connection->exchange;
    const struct surface_limits *limits = &connection->surface->limits;
    bool idle = now_ms - exchange->activity_ms > limits->body_timeout_ms;

    if (connection->deadline_ms != 0 && now_ms >= connection->deadline_ms)
        return REASON_UPSTREAM_TIMEOUT;
    if (is_stalled(&exchange->out, now_ms, limits->write_timeout_ms))
        return REASON_WRITE_STALLED;
    if (is_held_too_long(exchange, now_ms, limits->message_timeout_ms))
        return exchange->phase == EXCHANGE_HOLDING ? REASON_MESSAGE_TIMEOUT
                                                   : REASON_UPSTREAM_TIMEOUT;
    if (idle && exchange_wants_body(exchange))
        return REASON_REQUEST_TIMEOUT;
    if (idle && is_answer_due(exchange))
        return REASON_UPSTREAM_TIMEOUT;
    if (exchange->upstream != NULL &&
        is_stalled(&exchange->upstream->out, now_ms, limits->write_timeout_ms))
        return REASON_UPSTREAM_TIMEOUT;
    return REASON_ALLOWED;
}

void exchange_tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    enum reason reason = overdue(connection, now_ms);

    if (now_s >= connection->expires_at)
        reason = REASON_SESSION_EXPIRED;
    if (!reason_allows(reason))
        connection_drop(connection, reason);
}
