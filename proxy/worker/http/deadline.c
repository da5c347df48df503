#include "worker/http/deadline.h"

static bool is_stalled(const struct outgoing *out, uint64_t now_ms, uint64_t limit_ms)
{
    return !outgoing_empty(out) && now_ms - out->progress_ms > limit_ms;
}

/* Of a body that is held: from its first byte to its last; of events, one beyond the limit. */
static bool is_held_too_long(const struct exchange *exchange, uint64_t now_ms)
{
    return exchange->held.active && exchange->phase != EXCHANGE_SENDING &&
           now_ms - exchange->held.since_ms > exchange_limits(exchange)->message_timeout_ms;
}

/* Whether the service owes bytes: an answer of a known length is one that it has, and so is an
 * event that it has begun; between two a stream may be silent. */
static bool is_answer_due(const struct exchange *exchange)
{
    return exchange->phase == EXCHANGE_ANSWERING &&
           (exchange->answer_body.kind == HTTP_BODY_LENGTH || exchange->within) &&
           outgoing_empty(exchange_out(exchange));
}

bool deadline_request_passed(const struct exchange *exchange, uint64_t now_ms)
{
    return now_ms - exchange->begun_ms > exchange_limits(exchange)->request_timeout_ms;
}

/* Of a body that is wanted: whether it comes in time, and fast enough. */
static enum reason body_passed(const struct exchange *exchange, uint64_t now_ms)
{
    const struct surface_limits *limits = exchange_limits(exchange);

    if (now_ms - exchange->activity_ms > limits->body_timeout_ms ||
        deadline_request_passed(exchange, now_ms))
        return REASON_BODY_TIMEOUT;
    return now_ms - exchange->body_clock_ms > limits->body_timeout_ms ? REASON_BODY_TOO_SLOW
                                                                      : REASON_ALLOWED;
}

enum reason deadline_passed(struct exchange *exchange, uint64_t now_ms)
{
    const struct surface_limits *limits = exchange_limits(exchange);
    uint64_t deadline_ms = exchange->connection->deadline_ms;
    enum reason reason = REASON_ALLOWED;

    /* While the service takes nothing, its client need not send. */
    if (exchange_wants_body(exchange))
        reason = body_passed(exchange, now_ms);
    else
        exchange->body_clock_ms = now_ms;
    if (deadline_ms != 0 && now_ms >= deadline_ms)
        return exchange->phase == EXCHANGE_SENDING ? REASON_ANSWER_TIMEOUT
                                                   : REASON_ADMISSION_TIMEOUT;
    if (is_stalled(exchange_out(exchange), now_ms, limits->write_timeout_ms))
        return REASON_WRITE_STALLED;
    if (is_held_too_long(exchange, now_ms) && exchange->answer == GATE_PIECES)
        return REASON_ANSWER_TOO_BIG;
    if (is_held_too_long(exchange, now_ms))
        return exchange->phase == EXCHANGE_HOLDING ? REASON_MESSAGE_TIMEOUT : REASON_ANSWER_STALLED;
    if (!reason_allows(reason))
        return reason;
    if (is_answer_due(exchange) && now_ms - exchange->activity_ms > limits->body_timeout_ms)
        return REASON_ANSWER_STALLED;
    if (exchange->link != NULL &&
        is_stalled(&exchange->link->endpoint.out, now_ms, limits->write_timeout_ms))
        return REASON_UPSTREAM_STALLED;
    return REASON_ALLOWED;
}

bool deadline_waits_for_nobody(const struct exchange *exchange)
{
    return exchange->phase == EXCHANGE_ANSWERING && exchange->connection->deadline_ms == 0 &&
           exchange->connection->quiet_until_ms == 0 && !exchange_wants_body(exchange) &&
           !exchange->held.active && !is_answer_due(exchange) &&
           outgoing_empty(exchange_out(exchange)) &&
           (exchange->link == NULL || outgoing_empty(&exchange->link->endpoint.out));
}

uint64_t deadline_waits_since(const struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;

    if (connection->state == CONNECTION_HEAD)
        return client_head_since(connection);
    if (connection->state != CONNECTION_SERVED)
        return 0;
    if (!outgoing_empty(exchange_out(exchange)))
        return exchange_out(exchange)->progress_ms;
    return exchange_wants_body(exchange) ? exchange->body_clock_ms : 0;
}
