/*
 * An MCP over HTTP surface (Streamable HTTP): which message goes when, the
 * service's session, and the stream for what the service says unasked.
 *
 * Requests run side by side; an initialize and every notification is through
 * before the next message goes, so that the order the client meant is kept.
 */
#include "base/log.h"
#include "connect/bridge/bridge.h"
#include "connect/http/transfer.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define TRIES_MAX 4 /* of one message that the gate sent back unprocessed */

struct streamable {
    struct bridge *bridge;
    struct transfers all;
    struct transfer *barrier;  /* nothing is sent before it is through */
    struct transfer *listener; /* the stream for what the service says unasked; NULL: none */
    bool listen_wanted;
};

static struct streamable *of(const struct bridge *bridge)
{
    return bridge->transport_state;
}

static struct streamable *owner(const struct transfer *transfer)
{
    return of(transfer->all->bridge);
}

static void flush(struct bridge *bridge);

static void fail_letter(struct streamable *http, const struct letter *letter, int code,
                        const char *message, const char *reason)
{
    if (letter == NULL || letter->replay)
        return;
    if (letter->key[0] != '\0')
        bridge_fail(http->bridge, letter->key, code, message, reason);
    else
        log_warning("a message to the service was lost: %s", reason != NULL ? reason : message);
}

static void end_transfer(struct streamable *http, struct transfer *transfer)
{
    if (http->barrier == transfer)
        http->barrier = NULL;
    if (http->listener == transfer)
        http->listener = NULL;
    transfer_destroy(transfer);
}

static bool is_unreachable(const char *reason)
{
    return span_equals(span_of(reason), "upstream_unreachable");
}

/* It was sent back too often. */
static void fail_for_good(struct streamable *http, const struct letter *letter, const char *reason)
{
    if (is_unreachable(reason))
        fail_letter(http, letter, RPC_LOST, "the service cannot be reached", reason);
    else
        fail_letter(http, letter, RPC_REFUSED, "the gate refuses the request", reason);
}

/* Back in its place in the queue, or failed if it has been sent back too often. */
static void put_back(struct streamable *http, struct transfer *transfer, const char *reason)
{
    struct letter *letter = transfer->letter;

    if (letter == NULL || letter->replay)
        return;               /* made anew when it is due */
    if (transfer->resuming) { /* what was begun is not done twice */
        fail_letter(http, letter, RPC_LOST, "the connection was lost before the answer came",
                    reason);
    } else if (++letter->tries > TRIES_MAX && reason != NULL) {
        fail_for_good(http, letter, reason);
    } else {
        snprintf(letter->reason, sizeof(letter->reason), "%s", reason != NULL ? reason : "");
        transfer->letter = NULL;
        letters_prepend(&http->bridge->queue, letter);
    }
}

static void begin(struct streamable *http, struct letter *letter)
{
    bool barrier = letter->initialize || letter->kind == RPC_NOTIFICATION;
    struct transfer *transfer = transfer_create(&http->all, TRANSFER_POST, letter);

    if (transfer == NULL) {
        bridge_give_up(http->bridge, EX_OSERR, "out of memory");
        return;
    }
    if (barrier)
        http->barrier = transfer;
    transfer_begin(transfer);
}

/* The service forgot its session: it is told what the client told it before. */
static void replay(struct streamable *http)
{
    struct letter *letter = replay_initialize(&http->bridge->replay, bridge_now_ms(http->bridge));

    if (letter != NULL)
        begin(http, letter);
    else
        http->bridge->replay.needed = false;
}

static void listen_again(struct streamable *http)
{
    if (!http->listen_wanted || http->bridge->down || http->bridge->replay.needed ||
        http->listener != NULL)
        return;
    http->listener = transfer_create(&http->all, TRANSFER_LISTEN, NULL);
    if (http->listener != NULL)
        transfer_begin(http->listener);
}

/* Not if its request has been cancelled, or failed, meanwhile. */
static bool is_wanted(const struct streamable *http, const struct letter *letter)
{
    return letter->key[0] == '\0' || letter->replay ||
           ledger_find(&http->bridge->ledger, letter->key) != NULL;
}

static void flush(struct bridge *bridge)
{
    struct streamable *http = of(bridge);

    while (!bridge->down && http->barrier == NULL && bridge->stage != STAGE_GOODBYE) {
        const struct letter *first = bridge->queue.first;
        struct letter *letter;

        if (http->bridge->replay.needed && (first == NULL || !first->modern)) {
            replay(http);
            continue;
        }
        if (first == NULL || !transfers_have_room(&http->all, first->kind == RPC_REQUEST))
            break;
        letter = letters_take(&bridge->queue);
        if (is_wanted(http, letter))
            begin(http, letter);
        else
            letter_destroy(letter);
    }
    bridge_settle(bridge);
}

/* What waited for it may go. */
static void pass_barrier(struct streamable *http, const struct transfer *transfer)
{
    if (http->barrier != transfer)
        return;
    http->barrier = NULL;
    flush(http->bridge);
}

static void on_accepted(struct transfer *transfer)
{
    struct streamable *http = owner(transfer);

    http->bridge->backoff = (struct backoff){0};
    if (transfer->letter == NULL || transfer->letter->initialize)
        return;
    if (transfer->letter->initialized && http->bridge->replay.version[0] != '\0') {
        http->listen_wanted = true;
        listen_again(http);
    }
    pass_barrier(http, transfer);
}

static void on_answered(struct transfer *transfer)
{
    transfer->answered = true;
    pass_barrier(owner(transfer), transfer);
}

/* The stream that listens has ended. Whether it is opened again, for which the transfer stays. */
static bool stays_listening(struct streamable *http, struct transfer *transfer)
{
    if (!transfer->has_head) {
        bridge_go_down(http->bridge, 0);
        return false;
    }
    if (transfer->use != USE_EVENTS || http->bridge->stage == STAGE_GOODBYE) {
        http->listen_wanted = false;
        return false;
    }
    transfer_begin_again(transfer);
    return true;
}

static void settle_accepted(struct streamable *http, const struct transfer *transfer,
                            const char *why)
{
    bool unanswered = transfer->key[0] != '\0' && !transfer->answered;

    if (unanswered || (transfer->letter != NULL && why != NULL))
        fail_letter(http, transfer->letter, RPC_LOST,
                    why != NULL ? why : "the service ended the answer before it was complete",
                    transfer->ended ? RPC_ANSWER_MISSING : RPC_CONNECTION_LOST);
    /* Our own initialize got no answer: another try, later. */
    if (unanswered && transfer->letter->replay)
        bridge_go_down(http->bridge, 0);
}

/* Whether the body is the service's own answer to this request, which then is passed on. */
static bool pass_on(struct transfer *transfer)
{
    struct bridge *bridge = transfer->all->bridge;
    struct rpc rpc;

    if (transfer->key[0] == '\0' || transfer->text.length == 0 ||
        rpc_read(bridge->scan, transfer->text.data, transfer->text.length, &rpc) != OK ||
        rpc.kind != RPC_RESPONSE || strcmp(rpc.id_key, transfer->key) != 0)
        return false;
    return bridge_message(bridge, transfer->text.data, transfer->text.length, transfer->key);
}

/* The service, or the gate, does not know its session any more. */
static bool session_ended(const struct transfer *transfer, struct span reason)
{
    const struct letter *letter = transfer->letter;

    return transfer->status == 404 && transfer->session[0] != '\0' &&
           transfer->kind != TRANSFER_DELETE && transfer->all->bridge->replay.initialize != NULL &&
           (letter == NULL || (!letter->modern && !letter->initialize)) &&
           (reason.data == NULL || span_equals(reason, "mcp_session_unknown"));
}

/* Once, though several requests may be told. */
static void end_session(struct streamable *http, const char *session)
{
    if (strcmp(http->all.session, session) != 0)
        return;
    log_info("the service's session is over; beginning another");
    http->all.session[0] = '\0';
    http->bridge->replay.needed = true;
}

static void answer_refusal(struct streamable *http, struct transfer *transfer, const char *reason)
{
    char message[96];

    if (pass_on(transfer))
        return;
    if (transfer->status == 401) {
        bridge_give_up(http->bridge, EX_NOPERM, reason != NULL ? reason : "HTTP status 401");
        return;
    }
    snprintf(message, sizeof(message), "answered with HTTP status %u", transfer->status);
    fail_letter(http, transfer->letter, reason != NULL ? RPC_REFUSED : RPC_LOST, message, reason);
    if (transfer->letter != NULL && transfer->letter->replay)
        bridge_go_down(http->bridge, 0);
}

static void settle_refused(struct streamable *http, struct transfer *transfer)
{
    struct span body = {transfer->text.data, transfer->text.length};
    char room[RPC_REASON_SIZE];
    const char *reason = rpc_problem_reason(http->bridge->scan, body, room) ? room : NULL;
    unsigned wants = pass_remedy(span_of(reason));

    if (session_ended(transfer, span_of(reason))) {
        end_session(http, transfer->session);
        /* An answer of the client's has nobody left to go to. */
        if (transfer->letter != NULL && transfer->letter->kind != RPC_RESPONSE)
            put_back(http, transfer, "mcp_session_unknown");
    } else if (wants != 0 || is_unreachable(reason) ||
               (transfer->status == 503 && reason != NULL)) {
        /* What the gate sends back unprocessed may be sent again when its cause is mended. */
        put_back(http, transfer, reason);
        bridge_go_down(http->bridge, wants);
    } else if (transfer->kind == TRANSFER_LISTEN) {
        http->listen_wanted = false; /* 405: this service has nothing to say unasked */
    } else {
        answer_refusal(http, transfer, reason);
    }
}

static void on_ended(struct transfer *transfer, const char *why)
{
    struct streamable *http = owner(transfer);
    bool last = transfer->kind == TRANSFER_DELETE;

    if (!transfer->sent) {
        put_back(http, transfer, NULL);
        bridge_go_down(http->bridge, 0);
    } else if (transfer->use == USE_REFUSAL) {
        settle_refused(http, transfer);
    } else if (transfer->kind == TRANSFER_LISTEN && stays_listening(http, transfer)) {
        return;
    } else {
        settle_accepted(http, transfer, why);
    }
    end_transfer(http, transfer);
    if (last)
        bridge_finished(http->bridge);
    else
        flush(http->bridge);
}

static void start(struct bridge *bridge)
{
    static const struct transfer_user user = {on_accepted, on_answered, on_ended};
    struct streamable *http = of(bridge);

    http->bridge = bridge;
    http->all.bridge = bridge;
    http->all.user = &user;
}

static bool cancel(struct bridge *bridge, const struct ledger_entry *entry)
{
    struct transfer *transfer = of(bridge)->all.first;

    if (!entry->modern)
        return false;
    while (transfer != NULL && strcmp(transfer->key, entry->key) != 0)
        transfer = transfer->next;
    if (transfer != NULL)
        end_transfer(of(bridge), transfer);
    flush(bridge); /* which drops one that is still in the queue */
    return true;
}

static void come_back(struct bridge *bridge)
{
    listen_again(of(bridge));
    flush(bridge);
}

static void replayed(struct bridge *bridge, bool good)
{
    struct letter *letter =
        good ? replay_initialized(&bridge->replay, bridge_now_ms(bridge)) : NULL;

    bridge->replay.needed = !good;
    if (!good) {
        log_warning("the service does not take up where the one before left off");
        bridge_go_down(bridge, 0);
    } else if (letter != NULL) {
        letters_prepend(&bridge->queue, letter);
    }
}

/* Notifications that are on their way; whether a request is, the ledger knows. */
static size_t unsent(const struct bridge *bridge)
{
    const struct streamable *http = of(bridge);
    size_t bytes = 0;

    for (const struct transfer *e = http->all.first; e != NULL; e = e->next) {
        if (e->kind == TRANSFER_POST && e->key[0] == '\0' && e->letter != NULL)
            bytes += e->letter->length;
    }
    return bytes;
}

static void pause_reading(struct bridge *bridge, bool pause)
{
    transfers_pause(&of(bridge)->all, pause);
}

/* Says DELETE where there is a session to end (section "Session Management"). */
static void finish(struct bridge *bridge)
{
    struct streamable *http = of(bridge);
    struct transfer *transfer = NULL;

    while (http->all.first != NULL)
        end_transfer(http, http->all.first);
    if (http->all.session[0] != '\0' && !bridge->down)
        transfer = transfer_create(&http->all, TRANSFER_DELETE, NULL);
    if (transfer != NULL)
        transfer_begin(transfer);
    else
        bridge_finished(bridge);
}

static void stop(struct bridge *bridge)
{
    transfers_clear(&of(bridge)->all);
}

const struct transport streamable_transport = {
    .state_bytes = sizeof(struct streamable),
    .start = start,
    .flush = flush,
    .cancel = cancel,
    .come_back = come_back,
    .replayed = replayed,
    .unsent = unsent,
    .pause = pause_reading,
    .finish = finish,
    .stop = stop,
};
