#include "worker/http/exchange.h"

#include "worker/client/held.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define LINE_BYTES_MAX (4 * HTTP_HEAD_BYTES_MAX)

struct exchange *exchange_create(struct connection *connection, struct http *http)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (exchange == NULL)
        return NULL;
    exchange->connection = connection;
    exchange->http = http;
    buffer_init(&exchange->line, LINE_BYTES_MAX);
    buffer_init(&exchange->fields, LINE_BYTES_MAX);
    buffer_init(&exchange->head, HTTP_HEAD_BYTES_MAX + ANSWER_READ_BYTES);
    buffer_init(&exchange->text, 4 * (size_t)connection->surface->limits.max_answer_bytes);
    buffer_init(&exchange->reply, HTTP_HEAD_BYTES_MAX);
    return exchange;
}

static struct quota_holder session_of(const struct exchange *exchange)
{
    return quota_session(exchange->connection->surface_index, exchange->connection->session_id);
}

enum reason exchange_count_body(struct exchange *exchange)
{
    enum reason reason = REASON_ALLOWED;

    if (!exchange->body_counted)
        reason =
            quota_take(exchange->connection->worker->quotas, QUOTA_BODIES, session_of(exchange));
    exchange->body_counted = reason_allows(reason);
    return reason;
}

void exchange_forget_body(struct exchange *exchange)
{
    if (exchange->body_counted)
        quota_give(exchange->connection->worker->quotas, QUOTA_BODIES, session_of(exchange));
    exchange->body_counted = false;
}

void exchange_forget_bytes(struct exchange *exchange)
{
    buffer_clear(&exchange->line);
    buffer_clear(&exchange->fields);
    buffer_clear(&exchange->head);
    buffer_clear(&exchange->text);
    assembly_clear(&exchange->held);
    exchange->whole = (struct span){NULL, 0};
}

/* Everything that grows with what either side sends. */
static size_t bytes_of(const struct exchange *exchange)
{
    const struct link *link = exchange->link;

    return exchange->held.capacity + exchange->text.capacity + exchange->head.capacity +
           exchange->line.capacity + exchange->fields.capacity + exchange->reply.capacity +
           exchange->content_bytes + (link != NULL ? link->endpoint.out.capacity : 0) +
           (exchange->connection->client != NULL ? exchange_out(exchange)->capacity : 0);
}

void exchange_reset(struct exchange *exchange)
{
    exchange_forget_body(exchange);
    if (exchange->gate != NULL && exchange->gate->end != NULL)
        exchange->gate->end(exchange);
    pool_drop(exchange->link);
    exchange->link = NULL;
    exchange->content_bytes = 0;
    exchange_forget_bytes(exchange);
    free(exchange->host);
    exchange->host = NULL;
    exchange->phase = EXCHANGE_IDLE;
    exchange->answer = GATE_PASS;
    exchange->stored = exchange->retried = exchange->deaf = false;
    exchange->hung_up = exchange->within = false;
    exchange->answer_begun = exchange->answer_chunked = false;
    exchange->answer_body = (struct http_body){0};
    exchange->interim = 0;
    exchange->request_bytes = 0;
    exchange->body_digest[0] = '\0';
}

void exchange_destroy(struct exchange *exchange)
{
    if (exchange == NULL)
        return;
    exchange_reset(exchange);
    cover_clear(&exchange->cover);
    buffer_clear(&exchange->reply);
    free(exchange);
}

bool exchange_wants_body(const struct exchange *exchange)
{
    if (exchange->request_body.done || exchange->deaf || exchange->connection->quiet_until_ms != 0)
        return false;
    return exchange->phase == EXCHANGE_HOLDING ||
           (exchange->link != NULL && outgoing_empty(&exchange->link->endpoint.out) &&
            exchange->phase >= EXCHANGE_SENDING);
}

void exchange_turn_deaf(struct exchange *exchange)
{
    exchange->deaf = true;
    outgoing_clear(&exchange->link->endpoint.out);
}

void exchange_watch(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct link *link = exchange->link;
    bool read_client =
        exchange_wants_body(exchange) || (exchange->request_body.done && !exchange->pipelined);
    bool unsent;

    held_note(connection, bytes_of(exchange));
    if (connection->state != CONNECTION_SERVED)
        return;
    unsent = !outgoing_empty(exchange_out(exchange));
    endpoint_watch(&connection->client->endpoint,
                   UV_DISCONNECT | (read_client ? UV_READABLE : 0) | (unsent ? UV_WRITABLE : 0));
    if (link != NULL)
        endpoint_watch(&link->endpoint,
                       (unsent ? 0 : UV_READABLE) |
                           (outgoing_empty(&link->endpoint.out) ? 0 : UV_WRITABLE));
}

struct span exchange_text(const struct exchange *exchange)
{
    if (exchange->whole.data != NULL)
        return exchange->whole;
    if (exchange->held.data == NULL)
        return (struct span){"", 0};
    return (struct span){(const char *)exchange->held.data + ASSEMBLY_HEADROOM,
                         exchange->held.length};
}

void exchange_frame(struct framed_piece *framed, struct span piece, bool chunked)
{
    framed->parts[0] = (struct iovec){
        framed->header, chunked ? http_chunk_header(framed->header, piece.length) : 0};
    framed->parts[1] = (struct iovec){(void *)(uintptr_t)piece.data, piece.length};
    framed->parts[2] = (struct iovec){(void *)(uintptr_t) "\r\n", chunked ? 2 : 0};
}

struct ipc_dial exchange_dial(const struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;

    return (struct ipc_dial){
        .connection = connection->id,
        .surface = connection->surface_index,
        .request_id = connection->client->asker.request_id,
        .method = exchange->method,
        .path = connection->client->asker.raw_path,
        .host = exchange->cover.host,
    };
}

/* ---- What the gate itself tells the service ---- */

/* The request line and Host. */
static bool append_line(const struct exchange *exchange, const char *target, struct buffer *out)
{
    const char *rest =
        exchange->line.length > 0 ? memchr(exchange->line.data, ' ', exchange->line.length) : NULL;

    if (target != NULL)
        buffer_append_format(out, "POST %s HTTP/1.1\r\nHost: %s\r\n", target, exchange->host);
    else if (rest != NULL)
        buffer_append_format(out, "POST%s", rest);
    return target != NULL || rest != NULL;
}

bool reply_write(struct exchange *exchange, const struct reply *reply)
{
    struct buffer *out = &exchange->reply;
    size_t before = out->length;

    if (!append_line(exchange, reply->target, out))
        return false; /* only the broker knows where: the service waits in vain */
    buffer_append_format(out,
                         "%sContent-Type: application/json\r\n"
                         "Accept: application/json, text/event-stream\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         reply->headers, reply->text.length);
    buffer_append(out, reply->text.data, reply->text.length);
    if (!buffer_failed(out))
        return true;
    buffer_truncate(out, before); /* too much to say: the service waits in vain */
    return false;
}

bool reply_ask(const struct exchange *exchange)
{
    const struct ipc_dial dial = exchange_dial(exchange);

    return worker_tell(exchange->connection->worker, IPC_DIAL, &dial);
}

void reply_send(struct exchange *exchange, const struct reply *reply)
{
    size_t before = exchange->reply.length;

    if (reply_write(exchange, reply) && before == 0 && !reply_ask(exchange))
        buffer_truncate(&exchange->reply, before);
}

void reply_say(struct exchange *exchange, struct link *link, bool leave)
{
    const struct iovec part = {exchange->reply.data, exchange->reply.length};

    if (endpoint_send(&link->endpoint, &part, 1) && outgoing_empty(&link->endpoint.out)) {
        if (leave)
            shutdown(link->endpoint.fd, SHUT_WR);
        pool_spend(link);
    } else {
        pool_drop(link);
    }
    buffer_clear(&exchange->reply);
}

void reply_linked(struct exchange *exchange, enum reason reason, int fd)
{
    struct link *link;

    if (reason_allows(reason) &&
        pool_adopt(&exchange->http->pool, exchange->connection->surface_index,
                   exchange_owner(exchange), fd, &link) == OK)
        reply_say(exchange, link, false);
    else
        buffer_clear(&exchange->reply);
}
