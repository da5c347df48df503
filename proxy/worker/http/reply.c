#include "worker/http/reply.h"

#include "worker/http/request.h"

#include <string.h>

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

void reply_send(struct exchange *exchange, const struct reply *reply)
{
    const struct ipc_dial dial = request_dial(exchange);
    struct buffer *out = &exchange->reply;
    size_t before = out->length;

    if (!append_line(exchange, reply->target, out))
        return; /* only the broker knows where: the service waits in vain */
    buffer_append_format(out,
                         "%sContent-Type: application/json\r\n"
                         "Accept: application/json, text/event-stream\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         reply->headers, reply->text.length);
    buffer_append(out, reply->text.data, reply->text.length);
    if (buffer_failed(out))
        buffer_truncate(out, before); /* too much to say: the service waits in vain */
    else if (before == 0)
        worker_tell(exchange->connection->worker, IPC_DIAL, &dial);
}

void reply_linked(struct exchange *exchange, enum reason reason, int fd)
{
    const struct iovec part = {exchange->reply.data, exchange->reply.length};
    struct link *link;

    if (reason_allows(reason) &&
        pool_adopt(&exchange->http->pool, exchange->connection->surface_index, fd, &link) == OK) {
        if (endpoint_send(&link->endpoint, &part, 1) && outgoing_empty(&link->endpoint.out))
            pool_spend(link);
        else
            pool_drop(link);
    }
    buffer_clear(&exchange->reply);
}
