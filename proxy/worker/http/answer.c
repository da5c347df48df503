#include "worker/http/answer.h"

#include "wire/http_forward.h"
#include "worker/client/host_hint.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#define HEAD_OUT_BYTES_MAX  (4 * HTTP_HEAD_BYTES_MAX)
#define HELD_READ_BYTES     (4 * READ_BYTES) /* one read of what is held: all that a socket has */
#define INTERIM_ANSWERS_MAX 16               /* 1xx before the answer itself */

/* ---- To the client ---- */

static enum reason send_parts(struct exchange *exchange, const struct iovec *parts, size_t count)
{
    return endpoint_send(&exchange->connection->client->endpoint, parts, count)
               ? REASON_ALLOWED
               : REASON_CLIENT_CLOSED;
}

/* A head and a body, which may be all that is held: then it is held no more. */
static enum reason send_whole(struct exchange *exchange, struct span head, struct span body)
{
    struct assembly *held = &exchange->held;
    struct iovec parts[2] = {{(void *)(uintptr_t)head.data, head.length},
                             {(void *)(uintptr_t)body.data, body.length}};
    struct outgoing rest = {.data = held->data,
                            .length = held->length,
                            .offset = ASSEMBLY_HEADROOM,
                            .capacity = ASSEMBLY_HEADROOM + held->capacity};

    exchange->answer_begun = true;
    if (held->data == NULL || body.data != exchange_text(exchange).data ||
        body.length != held->length)
        return send_parts(exchange, parts, 2);
    *held = (struct assembly){0};
    return endpoint_send_block(&exchange->connection->client->endpoint, parts, &rest)
               ? REASON_ALLOWED
               : REASON_CLIENT_CLOSED;
}

/* The head towards the client, with the whole body or none. */
static enum reason send_head(struct exchange *exchange, const struct http_response *response,
                             const struct http_body *framing, struct span body)
{
    enum reason reason = REASON_ANSWER_HEAD;
    struct buffer head;

    /* Whoever answers before it has read everything may not read the rest. */
    if (!exchange->request_body.done)
        exchange->keep_alive = false;
    exchange->answer_chunked = framing->kind == HTTP_BODY_CHUNKED;
    buffer_init(&head, HEAD_OUT_BYTES_MAX);
    if (reason_allows(http_forward_response(
            &(struct http_forward_response_options){
                .host = exchange->host,
                .port = exchange->connection->listener->port,
                .path = span_of(exchange->connection->client->asker.raw_path),
                .body = framing,
                .close = !exchange->keep_alive},
            response, &head)) &&
        !buffer_failed(&head))
        reason = send_whole(exchange, (struct span){head.data, head.length}, body);
    buffer_clear(&head);
    return reason;
}

enum reason answer_send_text(struct exchange *exchange, const struct http_response *response,
                             struct span text)
{
    const struct http_body framing = {.kind = HTTP_BODY_LENGTH, .left = text.length};

    return send_head(exchange, response, &framing, text);
}

enum reason answer_send_own(struct exchange *exchange, unsigned status, const char *type,
                            struct span text)
{
    char head[512];
    struct iovec parts[2] = {{head, 0}, {(void *)(uintptr_t)text.data, text.length}};

    if (!exchange->request_body.done || exchange->connection->quiet_until_ms == QUIET_FOR_EVER)
        exchange->keep_alive = false;
    parts[0].iov_len = (size_t)snprintf(
        head, sizeof(head),
        "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n%s%s\r\n",
        status, http_status_phrase(status), type, text.length,
        status == 429 ? "Retry-After: 1\r\n" : "",
        exchange->keep_alive ? "" : "Connection: close\r\n");
    exchange->answer_begun = true;
    return send_parts(exchange, parts, exchange->head_only ? 1 : 2);
}

enum reason answer_send_piece(struct exchange *exchange, struct span piece)
{
    struct framed_piece framed;

    if (piece.length == 0)
        return REASON_ALLOWED;
    exchange_frame(&framed, piece, exchange->answer_chunked);
    return send_parts(exchange, framed.parts, 3);
}

enum reason answer_hand_over(struct exchange *exchange, struct buffer *piece)
{
    struct framed_piece framed;
    struct outgoing block;

    exchange_frame(&framed, (struct span){piece->data, piece->length}, exchange->answer_chunked);
    buffer_append(piece, framed.parts[2].iov_base, framed.parts[2].iov_len);
    if (buffer_failed(piece))
        return REASON_CAPACITY;
    /* Behind its end nothing was ever written: it takes no memory there. */
    block = (struct outgoing){
        .data = (unsigned char *)piece->data, .length = piece->length, .capacity = piece->length};
    buffer_init(piece, piece->max_bytes);
    return endpoint_send_block(&exchange->connection->client->endpoint, &framed.parts[0], &block)
               ? REASON_ALLOWED
               : REASON_CLIENT_CLOSED;
}

enum reason answer_send_end(struct exchange *exchange)
{
    const struct iovec last = {(void *)(uintptr_t)HTTP_LAST_CHUNK, sizeof(HTTP_LAST_CHUNK) - 1};

    return exchange->answer_chunked ? send_parts(exchange, &last, 1) : REASON_ALLOWED;
}

/* ---- Its body ---- */

static void note_growth(struct exchange *exchange)
{
    if (exchange->gate->answer_grows != NULL)
        exchange->gate->answer_grows(exchange, exchange_text(exchange));
}

static enum reason take_piece(struct exchange *exchange, struct span piece)
{
    const size_t max_bytes = exchange_limits(exchange)->max_answer_bytes;
    const struct http_body *body = &exchange->answer_body;

    if (exchange->answer == GATE_PASS)
        return answer_send_piece(exchange, piece);
    if (exchange->answer == GATE_PIECES)
        return exchange->gate->answer_piece(exchange, piece);
    /* All of it came in one read: it is looked into before there is another. */
    if (body->done && exchange->held.length == 0 && piece.length <= max_bytes) {
        exchange->whole = piece;
        return REASON_ALLOWED;
    }
    if (assembly_append(&exchange->held, (const unsigned char *)piece.data, piece.length,
                        body->kind == HTTP_BODY_LENGTH ? body->left : 0, max_bytes) != OK)
        return REASON_ANSWER_TOO_BIG;
    note_growth(exchange);
    return REASON_ALLOWED;
}

/* Bytes of the body; what comes after it makes the link worthless. */
static enum reason take_body(struct exchange *exchange, const char *bytes, size_t length)
{
    struct http_body *body = &exchange->answer_body;
    enum reason reason = REASON_ALLOWED;
    size_t at = 0;

    exchange->activity_ms = exchange_now_ms(exchange);
    while (reason_allows(reason) && at < length && !body->done) {
        struct span piece;
        size_t taken;

        if (http_body_next(body, bytes + at, length - at, &taken, &piece) == HTTP_FAULT)
            return REASON_ANSWER_CHUNK;
        at += taken;
        reason = take_piece(exchange, piece);
    }
    if (at < length)
        body->closes = true;
    return reason;
}

/* ---- Its head ---- */

/* How the body goes on to the client, who speaks HTTP/1.1. */
static struct http_body framing_of(const struct exchange *exchange)
{
    struct http_body framing = exchange->answer_body;

    /* The end here need not be the end of the client's connection; pieces change in length. */
    if (framing.kind == HTTP_BODY_UNTIL_CLOSE || exchange->answer == GATE_PIECES)
        framing.kind = HTTP_BODY_CHUNKED;
    /* Of an answer that would be rewritten, the length to HEAD is not known. */
    if (exchange->connection->route->answer != NULL && exchange->answer_body.done)
        framing.has_length = false;
    return framing;
}

/* The head is complete: what becomes of the body? */
static enum reason begin(struct exchange *exchange, const struct http_response *response)
{
    const struct content_gate *gate = exchange->gate;
    struct gate_verdict verdict = gate_go(GATE_PASS);
    struct http_body framing;
    enum reason reason =
        http_body_of_response(response, span_of(exchange->method), &exchange->answer_body);

    if (!reason_allows(reason))
        return reason;
    exchange->phase = EXCHANGE_ANSWERING;
    exchange->activity_ms = exchange_now_ms(exchange);
    exchange->connection->deadline_ms = 0;
    if (gate->answer_begins != NULL)
        verdict = gate->answer_begins(exchange, response);
    if (verdict.action == GATE_DROP)
        return verdict.reason;
    exchange->answer = verdict.action;
    /* The request's: they have done their part. */
    buffer_clear(&exchange->fields);
    assembly_clear(&exchange->held);
    if (verdict.action == GATE_HOLD) {
        assembly_begin(&exchange->held, exchange->activity_ms);
        return REASON_ALLOWED;
    }
    framing = framing_of(exchange);
    return send_head(exchange, response, &framing, (struct span){NULL, 0});
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

    if (pieces) {
        buffer_append(head, seen->data, seen->length);
        *seen = (struct span){head->data, head->length};
    }
    while ((progress = http_response_parse(seen->data, seen->length, response)) == HTTP_COMPLETE &&
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

/* Why what was read is no head of an answer. */
static enum reason head_fault(const struct exchange *exchange, struct span seen)
{
    struct http_response response;

    if (exchange->interim > INTERIM_ANSWERS_MAX)
        return REASON_ANSWER_INTERIM;
    /* The only one that is well-formed, and refused all the same. */
    return http_response_parse(seen.data, seen.length, &response) == HTTP_COMPLETE &&
                   response.status == 101
               ? REASON_ANSWER_SWITCHED
               : REASON_ANSWER_HEAD;
}

static void count_time(const struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;

    histogram_note(&connection->worker->surfaces[connection->surface_index].service,
                   uv_hrtime() - exchange->sent_ns);
}

/* More of the head, and what may follow it. */
static enum reason take_head(struct exchange *exchange, const char *bytes, size_t length)
{
    struct span seen = {bytes, length};
    struct http_response response;
    enum reason reason;
    size_t at;

    switch (read_heads(exchange, &seen, &response)) {
    case HTTP_MORE:
        return REASON_ALLOWED;
    case HTTP_FAULT:
        return head_fault(exchange, seen);
    case HTTP_COMPLETE:
        break;
    }
    at = response.head_bytes;
    count_time(exchange);
    host_hint(exchange->connection, response.status, exchange->host);
    reason = begin(exchange, &response);
    if (reason_allows(reason) && seen.length > at)
        reason = take_body(exchange, seen.data + at, seen.length - at);
    /* A stream's head was sent: it need not stay as long as the stream does. */
    if (exchange->answer != GATE_HOLD)
        buffer_clear(&exchange->head);
    return reason;
}

/* ---- From the service ---- */

/* The service has closed: that may be the end of its answer. */
static enum reason ended(struct exchange *exchange)
{
    struct http_body *body = &exchange->answer_body;

    exchange->hung_up = true;
    if (exchange->phase == EXCHANGE_ANSWERING && body->kind == HTTP_BODY_UNTIL_CLOSE) {
        body->done = body->closes = true;
        return REASON_ALLOWED;
    }
    if (exchange->phase == EXCHANGE_ANSWERING)
        return REASON_ANSWER_CUT;
    return exchange->head.length > 0 ? REASON_ANSWER_HEAD_CUT : REASON_UPSTREAM_SILENT;
}

static bool would_block(ssize_t received)
{
    return received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/*
 * A held body of known length is received where it is held. One byte more is
 * asked for where it ends: what comes after it makes the link worthless.
 */
static enum reason read_held(struct exchange *exchange)
{
    struct http_body *body = &exchange->answer_body;
    const size_t want = body->left < HELD_READ_BYTES ? (size_t)body->left : HELD_READ_BYTES;
    struct iovec parts[2] = {{NULL, want}, {exchange->connection->worker->read_buffer, 1}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = want == body->left ? 2 : 1};
    unsigned char *room;
    struct span piece;
    size_t taken;
    ssize_t received;

    if (assembly_reserve(&exchange->held, want, body->left - want,
                         exchange_limits(exchange)->max_answer_bytes, &room) != OK)
        return REASON_ANSWER_TOO_BIG;
    parts[0].iov_base = room;
    received = recvmsg(exchange->link->endpoint.fd, &message, 0);
    if (received <= 0)
        return would_block(received) ? REASON_ALLOWED : ended(exchange);
    exchange->activity_ms = exchange_now_ms(exchange);
    body->closes = body->closes || (size_t)received > want;
    (void)http_body_next(body, (const char *)room,
                         (size_t)received < want ? (size_t)received : want, &taken, &piece);
    assembly_commit(&exchange->held, taken);
    note_growth(exchange);
    return REASON_ALLOWED;
}

enum reason answer_read(struct exchange *exchange)
{
    char *buffer = (char *)exchange->connection->worker->read_buffer;
    ssize_t received;

    if (exchange->phase == EXCHANGE_ANSWERING && exchange->answer == GATE_HOLD &&
        exchange->answer_body.kind == HTTP_BODY_LENGTH && !exchange->answer_body.done)
        return read_held(exchange);
    received = recv(exchange->link->endpoint.fd, buffer, ANSWER_READ_BYTES, 0);
    if (received <= 0)
        return would_block(received) ? REASON_ALLOWED : ended(exchange);
    return exchange->phase == EXCHANGE_SENDING ? take_head(exchange, buffer, (size_t)received)
                                               : take_body(exchange, buffer, (size_t)received);
}
