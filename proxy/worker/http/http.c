/* What follows on what: a connection's mode, which worker.c begins and the worker's loop calls. */
#include "worker/client/cut.h"
#include "worker/client/grant.h"
#include "worker/client/held.h"
#include "worker/client/rates.h"
#include "worker/http/answer.h"
#include "worker/http/deadline.h"
#include "worker/http/ending.h"
#include "worker/http/request.h"

#include <string.h>
#include <unistd.h>

static void go_on(struct exchange *exchange, int events);

/* ---- The end of an exchange ---- */

/* Both sides have had their say: the link is good for another, if nothing is left on it. */
static void release_link(struct exchange *exchange)
{
    const struct http_body *answer = &exchange->answer_body;
    struct link *link = exchange->link;

    exchange->link = NULL;
    if (link != NULL && answer->done && !answer->closes && exchange->request_body.done &&
        !exchange->deaf && outgoing_empty(&link->endpoint.out))
        pool_give(link);
    else
        pool_drop(link);
}

/* The answer is complete: on to the next request, or goodbye. */
static void finish(struct exchange *exchange)
{
    const struct buffer nothing = {0};
    struct connection *connection = exchange->connection;
    bool cut;

    release_link(exchange);
    exchange_reset(exchange);
    connection->deadline_ms = 0;
    if (!outgoing_empty(exchange_out(exchange))) {
        exchange_watch(exchange);
        return; /* and comes back when the client has taken it */
    }
    cut = connection->quiet_until_ms == QUIET_FOR_EVER;
    if (exchange->keep_alive && exchange->request_body.done && !connection->worker->draining &&
        !cut) {
        client_next(connection);
        return;
    }
    ending_grant(exchange, cut ? REASON_REFUSALS_EXCEEDED : REASON_CLIENT_CLOSED);
    client_goodbye(connection, &nothing);
}

static void finish_or_drop(struct exchange *exchange, enum reason reason)
{
    if (reason_allows(reason))
        finish(exchange);
    else
        connection_drop(exchange->connection, reason);
}

/* ---- What a content gate decided ---- */

static void answer_own(struct exchange *exchange, const struct gate_verdict *verdict)
{
    finish_or_drop(exchange,
                   answer_send_own(exchange, verdict->status, verdict->type, verdict->text));
}

static void answer_held(struct exchange *exchange)
{
    struct http_response response;
    struct gate_verdict verdict = gate_drop(REASON_INTERNAL);

    /* The head that was held is read once more. */
    if (http_response_parse(exchange->head.data, exchange->head.length, &response) == HTTP_COMPLETE)
        verdict = exchange->gate->answer_whole(exchange, &response, exchange_text(exchange));
    if (verdict.action == GATE_SEND)
        finish_or_drop(exchange, answer_send_text(exchange, &response, verdict.text));
    else if (verdict.action == GATE_ANSWER)
        answer_own(exchange, &verdict);
    else
        connection_drop(exchange->connection, verdict.reason);
}

/* ---- The link ---- */

/* The broker ends the head: how what follows is framed must be in it. */
static void say_framing(const struct exchange *exchange, struct ipc_dial *question)
{
    if (exchange->connection->route->body != NULL)
        return; /* the stored one follows */
    question->body = exchange->held.active ? HTTP_BODY_LENGTH : exchange->request_body.kind;
    question->body_bytes =
        exchange->held.active ? exchange->held.length : exchange->request_body.left;
}

static void dial(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    struct ipc_dial question = exchange_dial(exchange);

    if (exchange->stored) {
        say_framing(exchange, &question);
        question.query = connection->client->head->asked.request.query;
        question.fields = exchange->fields.data != NULL ? exchange->fields.data : "";
        question.body_value = exchange->body_digest[0] != '\0' ? exchange->body_digest : NULL;
    }
    exchange->phase = EXCHANGE_DIALLING;
    connection->deadline_ms =
        exchange_now_ms(exchange) + exchange_limits(exchange)->upstream_timeout_ms;
    if (!worker_tell(connection->worker, IPC_DIAL, &question))
        connection_drop(connection, REASON_BROKER_BUSY);
}

/* On another link, if this one may have been closed while it was idle; false if not. */
static bool dial_again(struct exchange *exchange)
{
    if (!exchange->link->reused || exchange->retried)
        return false;
    exchange->retried = true;
    exchange->deaf = false;
    pool_drop(exchange->link);
    exchange->link = NULL;
    dial(exchange);
    return true;
}

/* The client that waits to be told that its body is wanted is told; false if it has gone. */
static bool invite_body(struct exchange *exchange)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec part = {(void *)(uintptr_t)line, sizeof(line) - 1};

    if (!exchange->expect_continue)
        return true;
    exchange->expect_continue = false;
    if (endpoint_send(&exchange->connection->client->endpoint, &part, 1))
        return true;
    connection_drop(exchange->connection, REASON_CLIENT_CLOSED);
    return false;
}

static void on_link_ready(void *user, int status, int events);

static void start_sending(struct exchange *exchange, struct link *link)
{
    struct connection *connection = exchange->connection;

    link->user = exchange;
    link->ready = on_link_ready;
    exchange->link = link;
    exchange->phase = EXCHANGE_SENDING;
    exchange->sent_ns = uv_hrtime();
    connection->deadline_ms =
        exchange_now_ms(exchange) + exchange_limits(exchange)->response_timeout_ms;
    if (!request_write(exchange)) {
        /* A link that was closed while it was idle took nothing. */
        if (dial_again(exchange))
            return;
        exchange_turn_deaf(exchange);
    }
    if (exchange->request_body.done && !exchange->pipelined)
        client_forget_head(connection->client);
    if (exchange->deaf || invite_body(exchange))
        go_on(exchange, 0);
}

/* The request goes to the service. */
static void forward(struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;
    struct link *link = NULL;

    if (!exchange->stored)
        link =
            pool_take(&exchange->http->pool, connection->surface_index, exchange_owner(exchange));
    if (link != NULL)
        start_sending(exchange, link);
    else
        dial(exchange);
    exchange_watch(exchange);
}

static void linked(struct connection *connection, enum reason reason, int fd)
{
    struct exchange *exchange = connection->served;
    struct link *link;

    if (exchange->reply.length > 0) {
        reply_linked(exchange, reason, fd);
        if (exchange->parting)
            ending_depart(exchange);
    } else if (!exchange_is_under_way(exchange) || exchange->phase != EXCHANGE_DIALLING) {
        if (fd >= 0)
            close(fd); /* whoever asked for it has gone */
    } else if (!reason_allows(reason)) {
        connection_drop(connection, reason);
    } else if (pool_adopt(&exchange->http->pool, connection->surface_index,
                          exchange_owner(exchange), fd, &link) != OK) {
        connection_drop(connection, REASON_OUT_OF_MEMORY);
    } else {
        start_sending(exchange, link);
        exchange_watch(exchange);
    }
}

/* ---- The request ---- */

/* Its body is whole. */
static void request_held(struct exchange *exchange)
{
    struct gate_verdict verdict = exchange->gate->request_whole(exchange, exchange_text(exchange));

    if (verdict.action == GATE_PASS)
        forward(exchange);
    else if (verdict.action == GATE_ANSWER)
        answer_own(exchange, &verdict);
    else
        connection_drop(exchange->connection, verdict.reason);
}

/* The client can be read or written to. */
static void go_on(struct exchange *exchange, int events)
{
    enum reason reason = request_receive(exchange, events);

    if (exchange->request_body.done)
        exchange_forget_body(exchange);
    else if (reason_allows(reason) && exchange->phase != EXCHANGE_IDLE)
        reason = exchange_count_body(exchange);
    if (!reason_allows(reason))
        connection_drop(exchange->connection, reason);
    else if (exchange->phase == EXCHANGE_HOLDING && exchange->request_body.done)
        request_held(exchange);
    else if (exchange->phase == EXCHANGE_IDLE && outgoing_empty(exchange_out(exchange)))
        finish(exchange);
    exchange_watch(exchange);
}

/* The request is in order: its body first, or on with it. */
static void start(struct exchange *exchange, bool held)
{
    const struct head *head = exchange->connection->client->head;

    exchange->pipelined = exchange->request_body.done && head->length > head->request.head_bytes;
    if (!held) {
        forward(exchange);
        return;
    }
    assembly_begin(&exchange->held, exchange->activity_ms);
    if (invite_body(exchange))
        go_on(exchange, 0);
}

/* A request under the grant. */
static void begin(struct exchange *exchange)
{
    struct connection *connection = exchange->connection;
    const struct head *head = connection->client->head;
    struct gate_verdict verdict = gate_go(GATE_PASS);
    enum reason reason;

    connection_set_state(connection, CONNECTION_SERVED);
    connection->deadline_ms = 0;
    connection->requests++;
    connection->worker->surfaces[connection->surface_index].requests++;
    connection->client->asker.host = exchange->cover.host;
    exchange->phase = EXCHANGE_HOLDING; /* something is to be answered from here on */
    exchange->activity_ms = exchange->begun_ms = exchange->body_clock_ms =
        exchange_now_ms(exchange);
    /* Bodies are waited for as they come: only another request is refused for them. */
    exchange->late = rates_late(connection, ALLOWANCE_REQUESTS, 0);
    reason = request_judge(exchange, head);
    if (reason_allows(reason)) {
        exchange->gate = exchange->http->gate_of(exchange->http, connection->route);
        if (exchange->gate->request_begins != NULL)
            verdict = exchange->gate->request_begins(exchange);
        reason = verdict.reason;
    }
    if (reason_allows(reason) && exchange->late != REASON_INTERNAL &&
        !(verdict.action == GATE_HOLD && exchange->gate->says_late))
        reason = exchange->late;
    if (reason_allows(reason))
        reason = request_compose(exchange, head, verdict.action == GATE_HOLD);
    if (reason_allows(reason)) {
        start(exchange, verdict.action == GATE_HOLD);
    } else if (verdict.action == GATE_ANSWER && reason == verdict.reason) {
        client_tell_denied(connection, reason);
        exchange->keep_alive = false;
        answer_own(exchange, &verdict);
    } else {
        connection_drop(connection, reason);
    }
}

/* ---- The answer ---- */

/* What has no effect, or none twice, may be asked again (RFC 9110 section 9.2.2). */
static bool ask_again(struct exchange *exchange)
{
    return exchange->phase == EXCHANGE_SENDING &&
           (exchange->head_only || strcmp(exchange->method, "GET") == 0) && dial_again(exchange);
}

/* An answer that was sent on as it came is whole. */
static enum reason end_stream(struct exchange *exchange)
{
    enum reason reason = REASON_ALLOWED;

    if (exchange->answer == GATE_PIECES && exchange->gate->answer_ends != NULL)
        reason = exchange->gate->answer_ends(exchange);
    return reason_allows(reason) ? answer_send_end(exchange) : reason;
}

static void read_answer(struct exchange *exchange)
{
    enum reason reason = answer_read(exchange);

    if (reason == REASON_UPSTREAM_SILENT && ask_again(exchange))
        return;
    if (!reason_allows(reason))
        connection_drop(exchange->connection, reason);
    else if (exchange->phase != EXCHANGE_ANSWERING || !exchange->answer_body.done)
        return;
    else if (exchange->answer == GATE_HOLD)
        answer_held(exchange);
    else
        finish_or_drop(exchange, end_stream(exchange));
}

static void on_link_ready(void *user, int status, int events)
{
    struct exchange *exchange = user;
    struct worker *worker = exchange->connection->worker;
    struct endpoint *service = &exchange->link->endpoint;

    connection_wake(exchange->connection);
    if (cut_now(exchange->connection))
        return;
    if (status < 0 || ((events & UV_WRITABLE) != 0 && !endpoint_flush(service)))
        exchange_turn_deaf(exchange);
    if ((status < 0 && outgoing_empty(exchange_out(exchange))) || (events & UV_READABLE) != 0)
        read_answer(exchange);
    /* What the client has sent meanwhile lies in the head, or in the socket. */
    if (exchange_is_under_way(exchange) && exchange_wants_body(exchange))
        go_on(exchange, 0);
    exchange_watch(exchange);
    held_check(worker);
}

/* ---- The connection's mode ---- */

/* Of whom the gate makes wait no time is taken, but of the whole; then it goes on where it was. */
static enum reason wait_on(struct exchange *exchange, uint64_t now_ms)
{
    struct connection *connection = exchange->connection;

    if (deadline_request_passed(exchange, now_ms))
        return REASON_BODY_TIMEOUT;
    exchange->activity_ms = now_ms;
    if (exchange->phase == EXCHANGE_HOLDING)
        exchange->held.since_ms = now_ms;
    if (now_ms < connection->quiet_until_ms)
        return REASON_ALLOWED;
    connection->quiet_until_ms = 0;
    if (exchange_wants_body(exchange))
        go_on(exchange, 0);
    return REASON_ALLOWED;
}

static uint64_t tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    struct exchange *exchange = connection->served;
    uint64_t expires_ms = connection_expires_ms(connection, now_ms, now_s), due_ms;
    enum reason reason = REASON_ALLOWED;

    if (connection->state == CONNECTION_LINGERING)
        return client_tick(connection, now_ms, now_s);
    if (expires_ms <= now_ms)
        reason = REASON_SESSION_EXPIRED;
    else if (exchange_is_under_way(exchange) && connection->quiet_until_ms != 0 &&
             !exchange->request_body.done)
        reason = wait_on(exchange, now_ms);
    else if (exchange_is_under_way(exchange))
        reason = deadline_passed(exchange, now_ms);
    if (!reason_allows(reason)) {
        connection_drop(connection, reason);
        return 0;
    }
    if (exchange_is_under_way(exchange))
        return deadline_waits_for_nobody(exchange) ? expires_ms : 0;
    due_ms = client_tick(connection, now_ms, now_s);
    return due_ms < expires_ms ? due_ms : expires_ms;
}

static void on_request(struct connection *connection)
{
    struct exchange *exchange = connection->served;
    const struct head *head = connection->client->head;

    if (cover_reaches(&exchange->cover, &head->asked.request)) {
        connection->route = head->route;
        begin(exchange);
        return;
    }
    ending_grant(exchange, REASON_CLIENT_CLOSED);
    client_ask(connection);
}

static void client_ready(struct connection *connection, int status, int events)
{
    struct exchange *exchange = connection->served;

    if (status < 0) {
        connection_drop(connection, REASON_CLIENT_CLOSED);
        return;
    }
    /* While its client took nothing, the service was not read. */
    if ((events & UV_WRITABLE) != 0 && exchange->phase == EXCHANGE_ANSWERING)
        exchange->activity_ms = exchange_now_ms(exchange);
    go_on(exchange, events);
}

static uint64_t waits_since(const struct connection *connection)
{
    return deadline_waits_since(connection->served);
}

static void release(struct connection *connection)
{
    struct exchange *exchange = connection->served;

    exchange_reset(exchange);
    client_end(connection);
    if (exchange->parting)
        ending_depart(exchange);
    else
        ending_grant(exchange, connection->reason);
}

static void destroy(struct connection *connection)
{
    exchange_destroy(connection->served);
    connection->served = NULL;
}

static const struct connection_mode http_mode = {
    .drop = ending_drop,
    .tick = tick,
    .request = on_request,
    .client_ready = client_ready,
    .linked = linked,
    .waits_since = waits_since,
    .release = release,
    .destroy = destroy,
};

void http_begin(struct http *http, struct connection *connection, const struct ipc_verdict *verdict)
{
    struct exchange *exchange = connection->served;
    enum reason reason = grant_begin(connection, verdict);

    if (exchange == NULL)
        exchange = exchange_create(connection, http);
    if (reason_allows(reason) && exchange == NULL)
        reason = REASON_INTERNAL;
    if (!reason_allows(reason)) {
        exchange_destroy(exchange);
        connection->served = NULL;
        connection->mode = &client_mode;
        grant_end(connection, reason);
        connection_drop(connection, reason);
        return;
    }
    connection->opened = true;
    connection->served = exchange;
    connection->mode = &http_mode;
    cover_keep(&exchange->cover, &connection->client->head->asked.request);
    exchange->cover.once = verdict->once;
    begin(exchange);
}
