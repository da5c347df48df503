/* The service's answer: read, its head composed anew, its body streamed or held. */
#include "worker/mcp/mcp.h"

#include "wire/http_forward.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_OUT_BYTES_MAX (4 * HTTP_HEAD_BYTES_MAX)
#define HELD_READ_BYTES    (4 * READ_BYTES) /* one read of what is held: all that a socket has */

/* How the body goes on to the client, who speaks HTTP/1.1. */
static struct http_body framing_of(const struct exchange *exchange)
{
    struct http_body framing = exchange->answer_body;

    /* The end of this connection need not be the end of the client's, and events change in length.
     */
    if (framing.kind == HTTP_BODY_UNTIL_CLOSE || exchange->mode == ANSWER_EVENTS)
        framing.kind = HTTP_BODY_CHUNKED;
    return framing;
}

bool answer_send(struct connection *connection, const struct http_response *response,
                 const struct http_body *framing, struct span body)
{
    struct exchange *exchange = connection->exchange;
    struct buffer head;
    bool sent = false;

    /* Whoever answers before it has read everything may not read the rest. */
    if (!exchange->request_body.done)
        exchange->keep_alive = false;
    exchange->answer_chunked = framing->kind == HTTP_BODY_CHUNKED;
    buffer_init(&head, HEAD_OUT_BYTES_MAX);
    if (!reason_allows(http_forward_response(
            &(struct http_forward_response_options){
                .host = exchange->host, .body = framing, .close = !exchange->keep_alive},
            response, &head)) ||
        buffer_failed(&head)) {
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
    } else {
        exchange->answer_begun = true;
        sent = exchange_send_answer(connection, (struct span){head.data, head.length}, body);
    }
    buffer_clear(&head);
    return sent;
}

bool answer_send_piece(struct connection *connection, struct span piece)
{
    struct framed_piece framed;

    if (piece.length == 0)
        return true;
    exchange_frame(&framed, piece, connection->exchange->answer_chunked);
    return exchange_send(connection, framed.parts, 3);
}

void answer_end(struct connection *connection)
{
    const struct iovec last = {(void *)(uintptr_t)HTTP_LAST_CHUNK, sizeof(HTTP_LAST_CHUNK) - 1};

    if (!connection->exchange->answer_chunked || exchange_send(connection, &last, 1))
        exchange_finish(connection);
}

/* A held body is whole. */
static void complete(struct connection *connection)
{
    switch (connection->exchange->mode) {
    case ANSWER_STREAM:
    case ANSWER_EVENTS:
        answer_end(connection);
        return;
    case ANSWER_HOLD:
        held_answer(connection);
        return;
    }
}

static void take_piece(struct connection *connection, struct span piece)
{
    const size_t max_bytes = connection->surface->limits.max_message_bytes;
    struct exchange *exchange = connection->exchange;

    if (exchange->mode == ANSWER_STREAM) {
        (void)answer_send_piece(connection, piece);
        return;
    }
    if (exchange->mode == ANSWER_EVENTS) {
        mcp_events_receive(connection, piece);
        return;
    }
    /* All of it came in one read: it is looked into before there is another. */
    if (exchange->answer_body.done && exchange->held.length == 0 && piece.length <= max_bytes) {
        exchange->whole = piece;
        return;
    }
    if (assembly_append(&exchange->held, (const unsigned char *)piece.data, piece.length,
                        exchange->answer_body.kind == HTTP_BODY_LENGTH ? exchange->answer_body.left
                                                                       : 0,
                        max_bytes) != OK)
        connection_drop(connection, REASON_MESSAGE_TOO_BIG);
}

/* Bytes of the body; what comes after it makes the link worthless. */
static void take_body(struct connection *connection, const char *bytes, size_t length)
{
    struct exchange *exchange = connection->exchange;
    size_t at = 0;

    exchange->activity_ms = worker_now_ms(connection->worker);
    while (connection->state == CONNECTION_EXCHANGE && at < length && !exchange->answer_body.done) {
        struct span piece;
        size_t taken;

        if (http_body_next(&exchange->answer_body, bytes + at, length - at, &taken, &piece) ==
            HTTP_FAULT) {
            connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
            return;
        }
        at += taken;
        take_piece(connection, piece);
    }
    if (connection->state != CONNECTION_EXCHANGE || !exchange->answer_body.done)
        return;
    if (at < length)
        exchange->answer_body.closes = true;
    complete(connection);
}

/* The head is complete: what becomes of the body? */
static void begin(struct connection *connection, const struct http_response *response)
{
    struct exchange *exchange = connection->exchange;
    struct http_body framing;
    enum reason reason =
        http_body_of_response(response, span_of(exchange->method), &exchange->answer_body);

    if (!reason_allows(reason) || response->status == 101) {
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
        return;
    }
    exchange->phase = EXCHANGE_ANSWERING;
    exchange->activity_ms = worker_now_ms(connection->worker);
    connection->deadline_ms = 0;
    reason = held_answer_begin(connection, response, &exchange->mode);
    if (!reason_allows(reason)) {
        connection_drop(connection, reason);
        return;
    }
    if (exchange->mode == ANSWER_HOLD) {
        assembly_begin(&exchange->held, worker_now_ms(connection->worker));
        return;
    }
    assembly_clear(&exchange->held); /* the request's: it has done its part */
    framing = framing_of(exchange);
    /* Of an answer that would be rewritten, the length to HEAD is not known. */
    if (connection->route->answer != NULL && exchange->answer_body.done)
        framing.has_length = false;
    (void)answer_send(connection, response, &framing, (struct span){NULL, 0});
}

/*
 * Reads heads until that of the answer itself, which is kept for as long as the
 * exchange lasts; one that came in pieces lies together only there. Then `seen`
 * begins with it.
 */
static enum http_progress read_heads(struct exchange *exchange, struct span *seen,
                                     struct http_response *response)
{
    struct buffer *head = &exchange->head;
    const bool pieces = head->length > 0;
    enum http_progress progress;
    enum reason reason;

    if (pieces) {
        buffer_append(head, seen->data, seen->length);
        *seen = (struct span){head->data, head->length};
    }
    while ((progress = http_response_parse(seen->data, seen->length, response, &reason)) ==
               HTTP_COMPLETE &&
           response->status < 200) {
        if (response->status == 101 || ++exchange->interim > INTERIM_ANSWERS_MAX)
            return HTTP_FAULT;
        if (pieces)
            buffer_consume(head, response->head_bytes);
        *seen = pieces ? (struct span){head->data, head->length}
                       : (struct span){seen->data + response->head_bytes,
                                       seen->length - response->head_bytes};
    }
    if (!pieces && progress != HTTP_FAULT)
        buffer_append(head, seen->data,
                      progress == HTTP_COMPLETE ? response->head_bytes : seen->length);
    return buffer_failed(head) ? HTTP_FAULT : progress;
}

/* More of the head, and what may follow it. */
static void take_head(struct connection *connection, const char *bytes, size_t length)
{
    struct exchange *exchange = connection->exchange;
    struct span seen = {bytes, length};
    struct http_response response;

    switch (read_heads(exchange, &seen, &response)) {
    case HTTP_MORE:
        return;
    case HTTP_FAULT:
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
        return;
    case HTTP_COMPLETE:
        begin(connection, &response);
        break;
    }
    if (connection->state != CONNECTION_EXCHANGE || exchange->phase != EXCHANGE_ANSWERING)
        return;
    if (exchange->answer_body.done) {
        if (seen.length > response.head_bytes)
            exchange->answer_body.closes = true;
        complete(connection);
    } else if (seen.length > response.head_bytes) {
        take_body(connection, seen.data + response.head_bytes, seen.length - response.head_bytes);
    }
}

/* The service has closed: that may be the end of its answer. */
static void ended(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;

    if (exchange->phase == EXCHANGE_ANSWERING &&
        exchange->answer_body.kind == HTTP_BODY_UNTIL_CLOSE) {
        exchange->answer_body.done = exchange->answer_body.closes = true;
        complete(connection);
        return;
    }
    /* What has no effect, or none twice, may be asked again (RFC 9110 section 9.2.2). */
    if (exchange->phase == EXCHANGE_SENDING && exchange->head.length == 0 &&
        (exchange->head_only || strcmp(exchange->method, "GET") == 0) && request_again(connection))
        return;
    connection_drop(connection,
                    exchange->head.length > 0 ? REASON_UPSTREAM_PROTOCOL : REASON_UPSTREAM_GONE);
}

/* Whether bytes have come; acts on it if they never will. */
static bool has_come(struct connection *connection, ssize_t received)
{
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (received <= 0)
        ended(connection);
    return received > 0;
}

/*
 * A held body of known length is received where it is held. One byte more is
 * asked for where it ends: what comes after it makes the link worthless.
 */
static void read_held(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct http_body *body = &exchange->answer_body;
    const size_t want = body->left < HELD_READ_BYTES ? (size_t)body->left : HELD_READ_BYTES;
    struct iovec parts[2] = {{NULL, want}, {connection->worker->read_buffer, 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = want == body->left ? 2 : 1};
    unsigned char *room;
    struct span piece;
    size_t taken;
    ssize_t received;

    if (assembly_reserve(&exchange->held, want, body->left - want,
                         connection->surface->limits.max_message_bytes, &room) != OK) {
        connection_drop(connection, REASON_MESSAGE_TOO_BIG);
        return;
    }
    parts[0].iov_base = room;
    received = recvmsg(exchange->upstream->fd, &message, 0);
    if (!has_come(connection, received))
        return;
    exchange->activity_ms = worker_now_ms(connection->worker);
    body->closes = body->closes || (size_t)received > want;
    (void)http_body_next(body, (const char *)room,
                         (size_t)received < want ? (size_t)received : want, &taken, &piece);
    assembly_commit(&exchange->held, taken);
    if (body->done)
        complete(connection);
}

static void read_upstream(struct connection *connection)
{
    const struct exchange *exchange = connection->exchange;
    char *buffer = (char *)connection->worker->read_buffer;
    ssize_t received;

    if (exchange->phase == EXCHANGE_ANSWERING && exchange->mode == ANSWER_HOLD &&
        exchange->answer_body.kind == HTTP_BODY_LENGTH && !exchange->answer_body.done) {
        read_held(connection);
        return;
    }
    received = recv(exchange->upstream->fd, buffer, ANSWER_READ_BYTES, 0);
    if (!has_come(connection, received))
        return;
    if (exchange->phase == EXCHANGE_SENDING)
        take_head(connection, buffer, (size_t)received);
    else
        take_body(connection, buffer, (size_t)received);
}

void exchange_upstream_ready(struct connection *connection, int status, int events)
{
    struct exchange *exchange = connection->exchange;
    struct upstream *upstream = exchange->upstream;

    if (status == 0 && (events & UV_WRITABLE) != 0 &&
        !outgoing_flush(&upstream->out, upstream->fd, worker_now_ms(connection->worker))) {
        exchange->deaf = true;
        outgoing_clear(&upstream->out);
    }
    /* It takes nothing any more; what it had said before is still to be read. */
    if (status < 0) {
        exchange->deaf = true;
        outgoing_clear(&upstream->out);
    }
    if ((status < 0 && outgoing_empty(&exchange->out)) || (events & UV_READABLE) != 0)
        read_upstream(connection);
    /* What the client has sent meanwhile lies in the handshake, or in the socket. */
    if (connection->state == CONNECTION_EXCHANGE && exchange_wants_body(exchange))
        exchange_client_ready(connection, 0);
    if (connection->state == CONNECTION_EXCHANGE)
        exchange_watch(connection);
}
