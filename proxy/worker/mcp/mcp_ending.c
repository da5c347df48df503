/*
 * What ends an exchange without its answer, for mcp_gate.c: its own request is told why, or on a
 * stream of a GET those whose answer comes there if anywhere; and the service, where its work is
 * in vain (MCP 2025-11-25, utilities, cancellation; in the modern era the end of the stream says
 * so).
 */
#include "worker/mcp/mcp.h"

/* A service that cannot be asked, or does not answer, before it has begun to. */
static bool is_of_service(enum reason reason)
{
    unsigned status = reason_info(reason)->http_status;

    return status == 502 || status == 504;
}

/*
 * Instead of an answer: it is one, so that clients that stand between a client and the gate, which
 * pass on what they are answered and only log what they are denied, pass it on.
 */
static struct gate_verdict instead(struct exchange *exchange, const struct mcp_end *end)
{
    struct gate_verdict verdict = {.action = GATE_ANSWER,
                                   .reason = end->reason,
                                   .status = 200,
                                   .type = end->event ? "text/event-stream" : "application/json"};

    buffer_reset(&exchange->text);
    while (mcp_end_one(exchange, end) && !mcp_of(exchange)->post)
        ;
    if (exchange->text.length == 0 || buffer_failed(&exchange->text))
        return gate_drop(end->reason);
    verdict.text = (struct span){exchange->text.data, exchange->text.length};
    if (mcp_of(exchange)->post && mcp_of(exchange)->resumable)
        return mcp_answer_on_stream(exchange, &verdict);
    return verdict;
}

/* At the end of a stream, behind the events that are good. */
static struct gate_verdict behind(struct exchange *exchange, enum reason reason)
{
    if (buffer_failed(&exchange->text))
        buffer_reset(&exchange->text);
    mcp_fail_event(exchange, reason);
    if (exchange->text.length == 0 || buffer_failed(&exchange->text))
        return gate_drop(reason);
    return (struct gate_verdict){.action = GATE_SEND,
                                 .reason = reason,
                                 .text = {exchange->text.data, exchange->text.length}};
}

/* Whether a client reads on elsewhere: a stream that broke off, or one where nothing is owed. */
static bool is_taken_up(const struct exchange *exchange, enum reason reason)
{
    const struct mcp *mcp = mcp_of(exchange);

    if (mcp->post)
        return mcp->resumable && exchange->hung_up;
    return !mcp->endpoint && !mcp->replay && is_of_service(reason);
}

struct gate_verdict mcp_fails(struct exchange *exchange, enum reason reason)
{
    const struct mcp *mcp = mcp_of(exchange);
    const bool left = reason == REASON_CLIENT_CLOSED || reason == REASON_WRITE_STALLED;
    const bool heard = exchange->phase >= EXCHANGE_SENDING;
    struct mcp_end end = {.reason = reason, .client = !left, .event = false};

    if (mcp == NULL || exchange->phase == EXCHANGE_HOLDING)
        return gate_drop(reason);
    mcp_forget_stream(exchange);
    if (left) {
        /* It may come back for what a stream has ids for. */
        if (mcp->post && !mcp->resumable)
            (void)mcp_end_one(exchange, &end);
        return gate_drop(reason);
    }
    if (exchange->answer_begun)
        return exchange->answer == GATE_PIECES && !is_taken_up(exchange, reason)
                   ? behind(exchange, reason)
                   : gate_drop(reason);
    if (mcp->post && (heard || is_of_service(reason)))
        return instead(exchange, &end);
    /* A stream that cannot be taken up again: what was to come on it does not. */
    end.event = true;
    return mcp->replay && is_of_service(reason) ? instead(exchange, &end) : gate_drop(reason);
}
