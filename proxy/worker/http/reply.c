/*
 * A service that asks for what it may not is told so: on a stream of events it
 * waits for a POST with the answer, which here is the gate's own. Its link is
 * used for nothing else.
 */
#include "worker/mcp/mcp.h"

#include <string.h>

/* Where answers are POSTed: to the endpoint that the service named, or where the client asked. */
static bool append_line(const struct exchange *exchange, struct buffer *out)
{
    const struct mcp *mcp = exchange->mcp;
    const char *rest =
        exchange->line.length > 0 ? memchr(exchange->line.data, ' ', exchange->line.length) : NULL;

    if (mcp->endpoint)
        buffer_append_format(out, "POST %s HTTP/1.1\r\nHost: %s\r\n", mcp->session->id,
                             exchange->host);
    else if (rest != NULL)
        buffer_append_format(out, "POST%s", rest);
    return mcp->endpoint || rest != NULL;
}

void mcp_reply(struct connection *connection, struct span text)
{
    struct exchange *exchange = connection->exchange;
    const struct mcp *mcp = exchange->mcp;
    struct buffer *out = &exchange->reply;
    size_t before = out->length;

    if (!append_line(exchange, out))
        return; /* only the broker knows where: the service waits in vain */
    if (mcp->session != NULL && !mcp->endpoint)
        buffer_append_format(out, "Mcp-Session-Id: %s\r\n", mcp->session->id);
    if (mcp->headers[0] != NULL)
        buffer_append_format(out, "MCP-Protocol-Version: %s\r\n", mcp->headers[0]);
    buffer_append_format(out,
                         "Content-Type: application/json\r\n"
                         "Accept: application/json, text/event-stream\r\n"
                         "Content-Length: %zu\r\n\r\n",
                         text.length);
    buffer_append(out, text.data, text.length);
    if (buffer_failed(out))
        buffer_truncate(out, before); /* too much to say: the service waits in vain */
    else if (before == 0)
        request_dial_for_reply(connection);
}

void mcp_reply_linked(struct connection *connection, enum reason reason, int fd)
{
    struct buffer *reply = &connection->exchange->reply;
    const struct iovec part = {reply->data, reply->length};
    struct upstream *upstream;

    if (reason_allows(reason) && pool_adopt(connection, fd, &upstream) == OK) {
        if (outgoing_send(&upstream->out, upstream->fd, worker_now_ms(connection->worker), &part,
                          1) &&
            outgoing_empty(&upstream->out))
            pool_spend(upstream);
        else
            pool_drop(upstream);
    }
    buffer_clear(reply);
}
