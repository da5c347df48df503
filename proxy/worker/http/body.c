/* The request's body: read from the client, held or streamed to the service. */
#include "worker/http/exchange.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

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
    if (exchange->phase == EXCHANGE_SENDING)
        connection->deadline_ms =
            exchange->activity_ms + connection->surface->limits.response_timeout_ms;
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
    connection->exchange->pipelined = connection->exchange->request_body.done &&
                                      handshake->head_length > handshake->request.head_bytes;
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
    handshake_forget_request(handshake);
    memcpy(handshake->head, bytes, length);
    handshake->head_length = length;
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

/* Writes to the client, and reads of its request what may be read. */
static enum reason serve_client(struct connection *connection, int events)
{
    struct exchange *exchange = connection->exchange;
    enum reason reason;

    if ((events & UV_WRITABLE) != 0 && !outgoing_flush(&exchange->out, connection->handshake->fd,
                                                       worker_now_ms(connection->worker)))
        return REASON_CLIENT_CLOSED;
    if (exchange_wants_body(exchange)) {
        reason = take_early_bytes(connection);
        if (reason_allows(reason) && (events & UV_READABLE) != 0 && exchange_wants_body(exchange))
            reason = read_body(connection);
        return reason;
    }
    if ((events & UV_DISCONNECT) != 0)
        return REASON_CLIENT_CLOSED;
    if ((events & UV_READABLE) != 0)
        exchange->pipelined = true;
    return REASON_ALLOWED;
}

void exchange_client_ready(struct connection *connection, int events)
{
    struct exchange *exchange = connection->exchange;
    enum reason reason = serve_client(connection, events);

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
