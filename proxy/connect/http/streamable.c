/*
 * An MCP over HTTP surface (Streamable HTTP): which message goes when, the
 * service's session, and the stream for what the service says unasked.
 *
 * Requests run side by side; an initialize and every notification is through
 * before the next message goes, so that the order the client meant is kept.
 */
#include "base/log.h"
#include "connect/http/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void flush(struct streamable *http);

static struct streamable *of(const struct connect *connect)
{
    return connect->transport_state;
}

static void throttle(struct streamable *http)
{
    stdio_pause_input(http->connect, http->queue.bytes > INPUT_PAUSE);
}

static void fail_letter(struct streamable *http, const struct letter *letter, int code,
                        const char *message, const char *reason)
{
    if (letter == NULL || letter->replay)
        return;
    if (letter->key[0] != '\0')
        connect_fail(http->connect, letter->key, code, message, reason);
    else
        log_warning("a message to the service was lost: %s", reason != NULL ? reason : message);
}

static void on_retry(uv_timer_t *timer)
{
    struct streamable *http = timer->data;

    letters_expire(http->connect, &http->queue);
    throttle(http);
    http->waiting = true;
    pass_want(http->connect, WANT_PLACE | http->wants);
    http->wants = 0;
}

/* The gate is not there, or denies the session: nothing is sent until that is mended. */
static void go_down(struct streamable *http, unsigned wants)
{
    http->wants |= wants;
    if (http->down || http->connect->stage == STAGE_GOODBYE)
        return;
    http->down = true;
    uv_timer_start(&http->retry, on_retry, backoff_next_ms(&http->backoff, connect_random()), 0);
}

/* Back in its place in the queue, or failed if it has been sent back too often. */
static void put_back(struct streamable *http, struct transfer *transfer, const char *reason)
{
    struct letter *letter = transfer->letter;

    transfer->letter = NULL;
    if (letter == NULL || letter->replay) {
        letter_destroy(letter);      /* made anew when it is due */
    } else if (transfer->resuming) { /* what was begun is not done twice */
        fail_letter(http, letter, RPC_LOST, "the connection was lost before the answer came",
                    reason);
        letter_destroy(letter);
    } else if (++letter->tries > TRIES_MAX && reason != NULL) {
        fail_letter(http, letter, RPC_REFUSED, "the gate refuses the request", reason);
        letter_destroy(letter);
    } else {
        letters_prepend(&http->queue, letter);
    }
}

static struct transfer *find_listener(const struct streamable *http)
{
    struct transfer *transfer = http->transfers;

    while (transfer != NULL && transfer->kind != TRANSFER_LISTEN)
        transfer = transfer->next;
    return transfer;
}

static void begin(struct streamable *http, struct letter *letter)
{
    bool barrier = letter->initialize || letter->kind == RPC_NOTIFICATION;
    struct transfer *transfer = transfer_create(http, TRANSFER_POST, letter);

    if (transfer == NULL) {
        connect_give_up(http->connect, EX_OSERR, "out of memory");
        return;
    }
    if (barrier)
        http->barrier = transfer;
    links_take(http, transfer);
}

/* The service forgot its session: it is told what the client told it before. */
static void replay(struct streamable *http)
{
    struct letter *letter = letter_replay_initialize(http->connect);

    if (letter != NULL)
        begin(http, letter);
    else
        http->replay_needed = false;
}

static void listen_again(struct streamable *http)
{
    struct transfer *transfer;

    if (!http->listen_wanted || http->down || http->replay_needed || find_listener(http) != NULL)
        return;
    transfer = transfer_create(http, TRANSFER_LISTEN, NULL);
    if (transfer != NULL)
        links_take(http, transfer);
}

/* Not if its request has been cancelled, or failed, meanwhile. */
static bool is_wanted(const struct streamable *http, const struct letter *letter)
{
    return letter->key[0] == '\0' || letter->replay ||
           ledger_find(&http->connect->ledger, letter->key) != NULL;
}

static void flush(struct streamable *http)
{
    while (!http->down && http->barrier == NULL && http->connect->stage != STAGE_GOODBYE) {
        const struct letter *first = http->queue.first;
        struct letter *letter;

        if (http->replay_needed && (first == NULL || !first->modern)) {
            replay(http);
            continue;
        }
        if (first == NULL || !links_has_room(http, first->kind == RPC_REQUEST))
            break;
        letter = letters_take(&http->queue);
        if (is_wanted(http, letter))
            begin(http, letter);
        else
            letter_destroy(letter);
    }
    throttle(http);
    connect_settle(http->connect);
}

void streamable_accepted(struct transfer *transfer)
{
    struct streamable *http = transfer->owner;

    http->backoff = (struct backoff){0};
    if (transfer->letter == NULL || transfer->letter->initialize)
        return;
    if (transfer->letter->initialized && http->connect->version[0] != '\0') {
        http->listen_wanted = true;
        listen_again(http);
    }
    if (http->barrier == transfer) {
        http->barrier = NULL;
        flush(http);
    }
}

void streamable_answered(struct transfer *transfer)
{
    struct streamable *http = transfer->owner;

    transfer->answered = true;
    if (http->barrier != transfer)
        return;
    http->barrier = NULL;
    flush(http);
}

static void on_listen_again(uv_timer_t *timer)
{
    struct transfer *transfer = timer->data;

    links_take(transfer->owner, transfer);
}

/* The stream for what comes unasked ended: taken up again from where it was. */
static void listen_later(struct transfer *transfer)
{
    uint64_t wait_ms = transfer->retry_ms != 0 ? transfer->retry_ms : RESUME_FIRST_MS;

    transfer->sent = transfer->has_head = transfer->ended = false;
    buffer_reset(&transfer->head);
    sse_clear(&transfer->events);
    sse_init(&transfer->events,
             transfer->owner->connect->place.max_message_bytes + EVENT_SLACK_BYTES);
    uv_timer_start(&transfer->timer, on_listen_again, wait_ms, 0);
}

/* The stream that listens has ended. Whether it is opened again, for which the transfer stays. */
static bool stays_listening(struct transfer *transfer)
{
    struct streamable *http = transfer->owner;

    if (!transfer->has_head) {
        go_down(http, 0);
        return false;
    }
    if (transfer->use != USE_EVENTS || http->connect->stage == STAGE_GOODBYE) {
        http->listen_wanted = false;
        return false;
    }
    if (transfer->link != NULL)
        links_give_back(transfer->link, false);
    listen_later(transfer);
    return true;
}

void streamable_done(struct transfer *transfer, const char *why)
{
    struct streamable *http = transfer->owner;
    bool last = transfer->kind == TRANSFER_DELETE;
    bool unanswered = transfer->key[0] != '\0' && !transfer->answered;

    if (transfer->kind == TRANSFER_LISTEN && stays_listening(transfer))
        return;
    if (unanswered || (transfer->letter != NULL && why != NULL))
        fail_letter(http, transfer->letter, RPC_LOST,
                    why != NULL ? why : "the service ended the answer before it was complete",
                    NULL);
    /* Our own initialize got no answer: another try, later. */
    if (unanswered && transfer->letter->replay)
        go_down(http, 0);
    transfer_destroy(transfer);
    if (last)
        connect_finished(http->connect);
    else
        flush(http);
}

void streamable_unreachable(struct transfer *transfer)
{
    struct streamable *http = transfer->owner;
    bool last = transfer->kind == TRANSFER_DELETE;

    put_back(http, transfer, NULL);
    go_down(http, 0);
    transfer_destroy(transfer);
    if (last)
        connect_finished(http->connect);
}

/* Whether the body is the service's own answer to this request, which then is passed on. */
static bool pass_on(struct transfer *transfer)
{
    struct connect *connect = transfer->owner->connect;
    struct rpc rpc;

    if (transfer->key[0] == '\0' || transfer->text.length == 0 ||
        rpc_read(connect->scan, NULL, transfer->text.data, transfer->text.length, &rpc) != OK ||
        rpc.kind != RPC_RESPONSE || strcmp(rpc.id_key, transfer->key) != 0)
        return false;
    connect_message(connect, transfer->text.data, transfer->text.length, NULL);
    return true;
}

/* The service, or the gate, does not know its session any more. */
static bool session_ended(const struct transfer *transfer, const char *reason)
{
    const struct letter *letter = transfer->letter;

    return transfer->status == 404 && transfer->session[0] != '\0' &&
           transfer->kind != TRANSFER_DELETE && transfer->owner->connect->initialize != NULL &&
           (letter == NULL || (!letter->modern && !letter->initialize)) &&
           (reason[0] == '\0' || strcmp(reason, "mcp_session_unknown") == 0);
}

/* Once, though several requests may be told. */
static void end_session(struct streamable *http, const char *session)
{
    if (strcmp(http->session, session) != 0)
        return;
    log_info("the service's session is over; beginning another");
    http->session[0] = '\0';
    http->replay_needed = true;
}

/* What the gate sends back unprocessed may be sent again when its cause is mended. */
static bool comes_back(const struct transfer *transfer, const char *reason, unsigned *wants)
{
    *wants = pass_remedy(span_of(reason));
    return *wants != 0 || strcmp(reason, "upstream_unreachable") == 0 ||
           (transfer->status == 503 && reason[0] != '\0');
}

static void answer_refusal(struct transfer *transfer, const char *reason)
{
    struct streamable *http = transfer->owner;
    char message[96];

    if (pass_on(transfer))
        return;
    if (transfer->status == 401) {
        connect_give_up(http->connect, EX_NOPERM, reason[0] != '\0' ? reason : "HTTP status 401");
        return;
    }
    snprintf(message, sizeof(message), "answered with HTTP status %u", transfer->status);
    fail_letter(http, transfer->letter, reason[0] != '\0' ? RPC_REFUSED : RPC_LOST, message,
                reason[0] != '\0' ? reason : NULL);
    if (transfer->letter != NULL && transfer->letter->replay)
        go_down(http, 0);
}

void streamable_refused(struct transfer *transfer)
{
    struct streamable *http = transfer->owner;
    struct span body = {transfer->text.data, transfer->text.length};
    bool last = transfer->kind == TRANSFER_DELETE;
    char reason[RPC_REASON_SIZE];
    unsigned wants = 0;

    if (!rpc_problem_reason(http->connect->scan, body, reason))
        reason[0] = '\0';
    if (session_ended(transfer, reason)) {
        end_session(http, transfer->session);
        /* An answer of the client's has nobody left to go to. */
        if (transfer->letter != NULL && transfer->letter->kind != RPC_RESPONSE)
            put_back(http, transfer, "mcp_session_unknown");
    } else if (comes_back(transfer, reason, &wants)) {
        put_back(http, transfer, reason);
        go_down(http, wants);
    } else if (transfer->kind == TRANSFER_LISTEN) {
        http->listen_wanted = false; /* 405: this service has nothing to say unasked */
    } else {
        answer_refusal(transfer, reason);
    }
    transfer_destroy(transfer);
    if (last)
        connect_finished(http->connect);
    else
        flush(http);
}

static enum error start(struct connect *connect)
{
    struct streamable *http = calloc(1, sizeof(*http));

    if (http == NULL)
        return ERROR_MEMORY;
    connect->transport_state = http;
    http->connect = connect;
    letters_init(&http->queue);
    uv_timer_init(&connect->loop, &http->retry);
    http->retry.data = http;
    return OK;
}

static void deliver(struct connect *connect, struct letter *letter)
{
    letters_append(&of(connect)->queue, letter);
    flush(of(connect));
}

static bool cancel(struct connect *connect, const struct ledger_entry *entry)
{
    struct transfer *transfer = of(connect)->transfers;

    if (!entry->modern)
        return false;
    while (transfer != NULL && strcmp(transfer->key, entry->key) != 0)
        transfer = transfer->next;
    if (transfer != NULL)
        transfer_destroy(transfer);
    flush(of(connect)); /* which drops one that is still in the queue */
    return true;
}

static void refreshed(struct connect *connect, bool good)
{
    struct streamable *http = of(connect);

    letters_expire(connect, &http->queue);
    if (!good || !http->waiting)
        return;
    http->waiting = false;
    http->down = false;
    listen_again(http);
    flush(http);
}

static void replayed(struct connect *connect, bool good)
{
    struct streamable *http = of(connect);
    struct letter *letter = good ? letter_replay_initialized(connect) : NULL;

    http->replay_needed = !good;
    if (!good) {
        log_warning("the service does not take up where the one before left off");
        go_down(http, 0);
    } else if (letter != NULL) {
        letters_prepend(&http->queue, letter);
    }
}

static void initialized(struct connect *connect)
{
    of(connect)->replay_needed = false;
}

static bool idle(const struct connect *connect)
{
    const struct streamable *http = of(connect);

    for (const struct transfer *e = http->transfers; e != NULL; e = e->next) {
        if (e->kind == TRANSFER_POST && e->key[0] == '\0')
            return false; /* a notification is on its way */
    }
    return http->queue.first == NULL;
}

static void pause_reading(struct connect *connect, bool pause)
{
    links_pause(of(connect), pause);
}

static void drop_all(struct streamable *http)
{
    while (http->transfers != NULL)
        transfer_destroy(http->transfers);
}

/* Says DELETE where there is a session to end (section "Session Management"). */
static void finish(struct connect *connect)
{
    struct streamable *http = of(connect);
    struct transfer *transfer;

    drop_all(http);
    if (http->session[0] == '\0' || http->down) {
        connect_finished(connect);
        return;
    }
    transfer = transfer_create(http, TRANSFER_DELETE, NULL);
    if (transfer != NULL)
        links_take(http, transfer);
    else
        connect_finished(connect);
}

static void stop(struct connect *connect)
{
    struct streamable *http = of(connect);

    if (http == NULL)
        return;
    drop_all(http);
    links_clear(http);
    uv_close((uv_handle_t *)&http->retry, NULL);
    uv_run(&connect->loop, UV_RUN_NOWAIT);
    letters_clear(&http->queue);
    free(http);
    connect->transport_state = NULL;
}

const struct transport streamable_transport = {
    .start = start,
    .deliver = deliver,
    .cancel = cancel,
    .refreshed = refreshed,
    .replayed = replayed,
    .initialized = initialized,
    .idle = idle,
    .pause = pause_reading,
    .finish = finish,
    .stop = stop,
};
