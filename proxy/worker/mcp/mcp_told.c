/* What the gate itself tells both sides of an exchange, for all of mcp.h. */
#include "worker/mcp/mcp.h"

#define HEADERS_BYTES_MAX (MCP_SESSION_ID_BYTES_MAX + REQUEST_HEADER_BYTES_MAX + 64)
#define MESSAGE_BYTES_MAX 4096

void mcp_tell(struct exchange *exchange, bool last, struct span text)
{
    const struct mcp *mcp = mcp_of(exchange);
    const char *session = mcp->session != NULL ? mcp->session->id : NULL;
    struct buffer headers;
    struct reply reply = {.target = mcp->endpoint ? session : NULL, .text = text};

    buffer_init(&headers, HEADERS_BYTES_MAX);
    if (session != NULL && !mcp->endpoint)
        buffer_append_format(&headers, "Mcp-Session-Id: %s\r\n", session);
    if (mcp->headers[0] != NULL)
        buffer_append_format(&headers, "MCP-Protocol-Version: %s\r\n", mcp->headers[0]);
    reply.headers = headers.length > 0 ? headers.data : "";
    if (!buffer_failed(&headers) && last)
        (void)reply_write(exchange, &reply);
    else if (!buffer_failed(&headers))
        reply_send(exchange, &reply);
    buffer_clear(&headers);
}

/* Whether the service works on the request, and does not learn otherwise that this is in vain. */
static bool is_to_be_cancelled(const struct exchange *exchange)
{
    const struct mcp *mcp = mcp_of(exchange);

    return !mcp->modern && !mcp->endpoint && exchange->phase >= EXCHANGE_SENDING &&
           exchange->link != NULL && !exchange->hung_up && !exchange->answer_body.done;
}

bool mcp_end_one(struct exchange *exchange, const struct mcp_end *end)
{
    const struct mcp *mcp = mcp_of(exchange);
    struct vet_state *state = mcp_state(exchange);
    const struct vet_ending ending = {.vocabulary = exchange->connection->route->vocabulary,
                                      .reason = end->reason,
                                      .id_key = mcp->awaited};
    const bool cancel = is_to_be_cancelled(exchange) && end->reason != REASON_ANSWER_ERROR;
    struct buffer client, service;
    bool any;

    if (state == NULL || (mcp->post && mcp->awaited == NULL))
        return false;
    buffer_init(&client, MESSAGE_BYTES_MAX);
    buffer_init(&service, MESSAGE_BYTES_MAX);
    any = vet_state_fail(state, &ending, end->client ? &client : NULL, cancel ? &service : NULL);
    if (client.length > 0 && end->event)
        mcp_write_event(exchange, (struct span){client.data, client.length});
    else if (client.length > 0)
        buffer_append(&exchange->text, client.data, client.length);
    if (service.length > 0)
        mcp_tell(exchange, true, (struct span){service.data, service.length});
    buffer_clear(&client);
    buffer_clear(&service);
    return any;
}

void mcp_write_event(struct exchange *exchange, struct span text)
{
    const struct sse_event event = {
        .has_type = true, .type = span_of("message"), .has_data = true, .data = text};

    sse_write(&event, &exchange->text);
}

void mcp_fail_event(struct exchange *exchange, enum reason reason)
{
    const struct mcp_end end = {.reason = reason, .client = true, .event = true};

    while (mcp_end_one(exchange, &end) && !mcp_of(exchange)->post)
        ;
}
