#include "worker/http/ending.h"

#include "worker/client/grant.h"
#include "worker/client/held.h"
#include "worker/http/answer.h"

void ending_grant(struct exchange *exchange, enum reason reason)
{
    cover_clear(&exchange->cover);
    buffer_clear(&exchange->reply);
    exchange_forget_body(exchange);
    grant_end(exchange->connection, reason);
}

/* ---- Towards the service ---- */

/* Whether the session may still have links: it is over neither for good nor for now. */
static bool may_dial(enum reason reason)
{
    return reason_info(reason)->http_status != 401 && reason != REASON_SURFACE_KILLED &&
           reason != REASON_KILL_REHEARSED && reason != REASON_SURFACE_CHANGED &&
           reason != REASON_DRAINING;
}

/* Whether the service may be told something behind the request that it works on. */
static bool is_spoken_to(const struct exchange *exchange)
{
    const struct link *link = exchange->link;

    return link != NULL && exchange->request_body.done && !exchange->deaf && !exchange->hung_up &&
           outgoing_empty(&link->endpoint.out);
}

/*
 * Says what is kept on an idle link, or else on the exchange's own, at whose end the service sees
 * that it is left; true if it has to wait for one that is asked for.
 */
static bool say_rest(struct exchange *exchange, enum reason reason, bool asked)
{
    struct link *link = NULL;

    if (exchange->reply.length == 0 || (asked && may_dial(reason)))
        return exchange->reply.length > 0;
    link = pool_take(&exchange->http->pool, exchange->connection->surface_index,
                     exchange_owner(exchange));
    if (link == NULL && may_dial(reason) && reply_ask(exchange))
        return true;
    if (link != NULL) {
        reply_say(exchange, link, false);
    } else if (is_spoken_to(exchange)) {
        reply_say(exchange, exchange->link, true);
        exchange->link = NULL;
    }
    return false;
}

/* Nothing of the exchange is left; the grant lasts as long as the service is to be told. */
static void part(struct exchange *exchange, enum reason reason, bool asked)
{
    exchange->ended = reason;
    exchange->parting = say_rest(exchange, reason, asked);
    pool_drop(exchange->link);
    exchange->link = NULL;
    held_note(exchange->connection, 0);
    if (exchange->parting)
        connection_hold(exchange->connection);
    else
        ending_grant(exchange, reason);
}

void ending_depart(struct exchange *exchange)
{
    exchange->parting = false;
    ending_grant(exchange, exchange->ended);
    connection_let_go(exchange->connection);
}

/* ---- Towards the client ---- */

/* The gate's word instead of an answer, or at the end of what was sent of one. */
static void say_last(struct exchange *exchange, const struct gate_verdict *said)
{
    const struct buffer nothing = {0};
    enum reason reason;

    exchange->keep_alive = false;
    if (said->action == GATE_ANSWER) {
        outgoing_clear(exchange_out(exchange));
        reason = answer_send_own(exchange, said->status, said->type, said->text);
    } else {
        reason = answer_send_piece(exchange, said->text);
        if (reason_allows(reason))
            reason = answer_send_end(exchange);
    }
    if (reason_allows(reason))
        client_goodbye(exchange->connection, &nothing);
    else
        client_deny(exchange->connection, REASON_CLIENT_CLOSED);
}

void ending_drop(struct connection *connection, enum reason reason)
{
    struct exchange *exchange = connection->served;
    const struct content_gate *gate = exchange->gate;
    const bool asked = exchange->reply.length > 0;
    struct gate_verdict said = gate_drop(reason);
    struct buffer text;

    if (!exchange_is_under_way(exchange)) {
        ending_grant(exchange, reason);
        client_drop(connection, reason);
        return;
    }
    if (exchange->phase != EXCHANGE_IDLE && gate != NULL && gate->fails != NULL)
        said = gate->fails(exchange, reason);
    /* An answer that stops short of its end is else the only way to say that it has no end. */
    if (said.action == GATE_DROP && (exchange->answer_begun || exchange->phase == EXCHANGE_IDLE))
        said.reason = REASON_CLIENT_CLOSED;
    if (said.action != GATE_SEND && said.reason != REASON_CLIENT_CLOSED)
        client_tell_denied(connection, said.reason);
    part(exchange, reason, asked);
    text = exchange->text; /* what is said, perhaps; nothing else is needed any more */
    buffer_init(&exchange->text, text.max_bytes);
    exchange_forget_bytes(exchange);
    if (said.action == GATE_DROP) {
        if (said.reason != REASON_CLIENT_CLOSED)
            outgoing_clear(exchange_out(exchange));
        client_deny(connection, said.reason);
    } else {
        say_last(exchange, &said);
    }
    buffer_clear(&text);
}
