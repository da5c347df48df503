#include "worker/http/body.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/*
 * A service that takes no more may have answered all the same: what it said is
 * still to be read, and its end is told by its side of the link.
 */
static void send_body(struct exchange *exchange, const struct iovec *parts, size_t count)
{
    if (!exchange->deaf && !endpoint_send(&exchange->link->endpoint, parts, count)) {
        exchange->deaf = true;
        outgoing_clear(&exchange->link->endpoint.out);
    }
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

static void end_body(struct exchange *exchange)
{
    const struct iovec last = {(void *)(uintptr_t)HTTP_LAST_CHUNK, sizeof(HTTP_LAST_CHUNK) - 1};

    if (exchange->phase != EXCHANGE_HOLDING && exchange->request_body.kind == HTTP_BODY_CHUNKED)
        send_body(exchange, &last, 1);
}

/* Body bytes of the client; *taken of them belonged to it. */
static enum reason take_bytes(struct exchange *exchange, const char *bytes, size_t length,
                              size_t *taken)
{
    enum reason reason = REASON_ALLOWED;

    exchange->activity_ms = exchange_now_ms(exchange);
    if (exchange->phase == EXCHANGE_SENDING)
        exchange->connection->deadline_ms =
            exchange->activity_ms + exchange_limits(exchange)->response_timeout_ms;
    for (*taken = 0; reason_allows(reason) && *taken < length && !exchange->request_body.done;) {
        struct span piece;
        size_t some;
        enum http_progress progress =
            http_body_next(&exchange->request_body, bytes + *taken, length - *taken, &some, &piece);

        if (progress == HTTP_FAULT)
            return REASON_MALFORMED;
        *taken += some;
        reason = take_piece(exchange, piece);
        if (reason_allows(reason) && progress == HTTP_COMPLETE)
            end_body(exchange);
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
        return REASON_CAPACITY;
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
    received = recv(connection->client->endpoint.fd, buffer, room, 0);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return REASON_ALLOWED;
    if (received <= 0)
        return REASON_CLIENT_CLOSED;
    reason = take_bytes(exchange, (const char *)buffer, (size_t)received, &taken);
    if (reason_allows(reason))
        reason = keep_rest(exchange, buffer + taken, (size_t)received - taken);
    return reason;
}

enum reason body_serve(struct exchange *exchange, int events)
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
