#include "worker/websocket/websocket.h"

#include "worker/client/client.h"
#include "worker/client/cut.h"
#include "worker/client/grant.h"
#include "worker/client/held.h"
#include "worker/client/host_hint.h"
#include "worker/client/rates.h"
#include "worker/websocket/beats.h"
#include "worker/websocket/coming.h"
#include "worker/websocket/goodbye.h"
#include "worker/websocket/overdue.h"
#include "worker/websocket/upgrade.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_BYTES_PAUSE 262144 /* more than this unsent: the service is not read either */

/* Of one that was told already, whatever came meanwhile, it is what it was told. */
static void drop(struct connection *connection, enum reason reason)
{
    struct websocket *websocket = connection->served;
    const bool told = websocket->state == WEBSOCKET_CLOSING && connection->admitted;
    const struct goodbye ending = goodbye_for(told ? connection->doom : reason);

    switch (websocket->state) {
    case WEBSOCKET_LINKING:
        grant_end(connection, reason);
        side_close(&websocket->service);
        client_deny(connection, reason);
        return;
    case WEBSOCKET_OPEN:
    case WEBSOCKET_LAST_WORDS:
        goodbye_both(websocket, &ending);
        return;
    case WEBSOCKET_CLOSING:
        if (told)
            goodbye_rest(websocket, &ending);
        return;
    }
}

/* Where more is to be said or sent before, drop() does it. */
static void part(struct connection *connection, enum reason reason)
{
    struct websocket *websocket = connection->served;
    const struct goodbye ending = goodbye_for(reason);

    if (websocket->state == WEBSOCKET_OPEN && !side_is_blocked(&websocket->client))
        goodbye_part(websocket, &ending);
}

/* ---- Whole messages: vet, forward or refuse ---- */

/* Whether what is said in a direction is carried. */
static bool carries(const struct websocket *websocket, enum direction direction)
{
    return websocket->state == WEBSOCKET_OPEN ||
           (websocket->state == WEBSOCKET_LAST_WORDS && direction == DIRECTION_S2C);
}

/* The side that hears what is said in a direction. */
static struct side *hearer(struct websocket *websocket, enum direction direction)
{
    return direction == DIRECTION_C2S ? &websocket->service : &websocket->client;
}

/* A text of our own making. */
static void send_text(struct websocket *websocket, enum direction direction, struct span text)
{
    if (text.data != NULL && carries(websocket, direction))
        side_send(hearer(websocket, direction), WS_TEXT, (const unsigned char *)text.data,
                  text.length);
}

/*
 * Back-pressure, in one place: the client is read while the service takes what it is
 * sent and the client its answers; the service is read while the client takes what it is sent.
 */
static void let_flow(struct websocket *websocket)
{
    struct side *client = &websocket->client, *service = &websocket->service;
    size_t unsent = service->link.out.length;

    if (!carries(websocket, DIRECTION_S2C))
        return;
    side_hold(service, side_is_blocked(client) || unsent >= QUEUE_BYTES_PAUSE);
    side_hold(client,
              websocket->state == WEBSOCKET_OPEN && (side_is_blocked(client) || unsent > 0 ||
                                                     websocket->connection->quiet_until_ms != 0));
    side_watch(service);
    side_watch(client);
    held_note(websocket->connection,
              side_holds(client) + side_holds(service) + vet_ahead_holds(websocket->ahead));
}

/* A verdict on what one side said. */
static void take_verdict(struct websocket *websocket, enum direction from,
                         const struct ws_whole *whole, const struct vet_result *result)
{
    struct connection *connection = websocket->connection;

    grant_note(connection, from, result);
    switch (result->action) {
    case VET_FORWARD:
        if (result->forward.data != NULL)
            send_text(websocket, from, result->forward);
        else
            side_carry(hearer(websocket, from),
                       from == DIRECTION_C2S ? &websocket->client : &websocket->service, whole);
        break;
    case VET_REFUSE:
        send_text(websocket, from == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S, result->reply);
        send_text(websocket, from, result->counterpart);
        if (connection->quiet_until_ms == QUIET_FOR_EVER)
            connection_drop(connection, REASON_REFUSALS_EXCEEDED);
        break;
    case VET_CLOSE:
        connection_drop(connection, result->reason);
        return;
    }
    let_flow(websocket);
}

static void on_message(struct websocket *websocket, enum direction from,
                       const struct ws_whole *whole)
{
    struct connection *connection = websocket->connection;
    struct worker *worker = connection->worker;
    struct vet_rules rules = grant_rules(connection);
    bool binary = whole->opcode == WS_BINARY;
    struct vet_result result;

    if (cut_now(connection) || !carries(websocket, from))
        return;
    websocket->active_ms = worker_now_ms(worker);
    if (binary && !connection->route->binary) {
        connection_drop(connection, REASON_BINARY_REFUSED);
        return;
    }
    rules.unchecked = !binary;
    rules.ahead = from == DIRECTION_S2C ? websocket->ahead : NULL;
    if (from == DIRECTION_C2S)
        rules.late = rates_late(connection, ALLOWANCE_MESSAGES, whole->length);
    vet_message(websocket->vet, worker->scratch, &rules, from, (const char *)whole->data,
                whole->length, !binary, &result);
    if (rules.ahead != NULL)
        coming_forget(websocket);
    take_verdict(websocket, from, whole, &result);
}

/* Of an answer that is beyond the limit nothing is kept but whose it is, and the connection lives.
 */
static void on_piece(struct websocket *websocket, const struct ws_whole *piece, bool last)
{
    struct vet_result result;

    if (cut_now(websocket->connection) || !carries(websocket, DIRECTION_S2C))
        return;
    websocket->active_ms = worker_now_ms(websocket->connection->worker);
    if (coming_piece(websocket, piece, last, &result))
        take_verdict(websocket, DIRECTION_S2C, piece, &result);
}

/* ---- What else the sides say ---- */

static void on_beat(struct websocket *websocket, enum direction from, const struct ws_whole *beat)
{
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    beats_take(websocket, from, beat);
    let_flow(websocket);
}

/* Where messages are vetted nothing unvetted goes beside them: of a close frame its code alone. */
static void on_closed(struct websocket *websocket, enum direction from, unsigned code,
                      struct span text)
{
    struct vet_rules rules = grant_rules(websocket->connection);
    struct goodbye ending = {from == DIRECTION_C2S ? REASON_CLIENT_CLOSED : REASON_UPSTREAM_CLOSED,
                             code, text};

    if (rules.vocabulary->envelope != ENVELOPE_OPAQUE)
        ending.text = (struct span){0};
    if (websocket->state == WEBSOCKET_LAST_WORDS)
        goodbye_after_last_words(websocket);
    else if (websocket->state == WEBSOCKET_OPEN && from == DIRECTION_C2S)
        goodbye_of_client(websocket, &ending);
    else if (websocket->state == WEBSOCKET_OPEN)
        goodbye_both(websocket, &ending);
}

static void on_fault(struct websocket *websocket, enum reason reason)
{
    const struct goodbye ending = goodbye_for(reason);

    /* A service that hangs up instead of its 101 has refused. */
    if (websocket->state == WEBSOCKET_LINKING && reason == REASON_UPSTREAM_GONE)
        connection_drop(websocket->connection, REASON_UPGRADE_CLOSED);
    else if (websocket->state == WEBSOCKET_OPEN && websocket->client.is_lost)
        goodbye_of_client(websocket, &ending);
    else if (websocket->state == WEBSOCKET_LAST_WORDS)
        goodbye_after_last_words(websocket);
    else
        connection_drop(websocket->connection, reason);
}

static void on_flow(struct websocket *websocket)
{
    connection_wake(websocket->connection);
    if (carries(websocket, DIRECTION_S2C))
        coming_look(websocket);
    let_flow(websocket);
    held_check(websocket->connection->worker);
}

static void on_ended(struct websocket *websocket, enum direction from)
{
    if (from == DIRECTION_C2S)
        connection_drop(websocket->connection, REASON_CLIENT_CLOSED);
    connection_let_go(websocket->connection);
}

/* The client's handshake is answered on the socket that was its HTTP side's. */
static bool answer_client(struct websocket *websocket)
{
    struct connection *connection = websocket->connection;
    struct client *http = connection->client;
    struct side *client = &websocket->client;
    char head[UPGRADE_ANSWER_SIZE];
    struct iovec part = {head, upgrade_answer(websocket->upgrade, http->head->key, head)};

    side_take(client, &http->endpoint, connection->surface->limits.max_message_bytes);
    client->upgraded = true;
    connection_hold(connection);
    return endpoint_send(&client->link, &part, 1);
}

/* The service is there: answer the client's handshake and let messages flow. */
static void open_both(struct websocket *websocket)
{
    struct connection *connection = websocket->connection;
    struct upgrade *upgrade = websocket->upgrade;
    struct span rest = upgrade_rest(upgrade);
    struct vet_rules rules = grant_rules(connection);
    bool answered = answer_client(websocket);

    websocket->upgrade = NULL;
    websocket->state = WEBSOCKET_OPEN;
    websocket->active_ms = websocket->pinged_ms = worker_now_ms(connection->worker);
    connection->opened = true;
    connection->deadline_ms = 0;
    websocket->service.reader.gives_pieces = vet_salvages(&rules);
    client_end(connection);
    /* Bytes after the head are the service's first frames. */
    if (answered)
        side_receive(&websocket->service, (unsigned char *)(uintptr_t)rest.data, rest.length);
    else
        connection_drop(connection, REASON_CLIENT_CLOSED);
    upgrade_destroy(upgrade);
}

/* Instead of its 101: the status is in the line, and Host was the one that the broker wrote. */
static void on_other_status(const struct websocket *websocket)
{
    const struct connection *connection = websocket->connection;
    const struct span line = upgrade_status_line(websocket->upgrade);
    const struct head *head = connection->client->head;
    char room[CONFIG_LOCALHOST_SIZE];
    uint64_t status;

    client_saw(connection->client, line);
    if (head != NULL && line.length >= sizeof("HTTP/1.1 403") - 1 &&
        text_number((struct span){line.data + sizeof("HTTP/1.1 ") - 1, 3}, 3, &status))
        host_hint(connection, (unsigned)status,
                  config_route_host(connection->route, head->asked.request.host,
                                    connection->listener->port, room));
}

static void on_response(struct websocket *websocket, const unsigned char *bytes, size_t length)
{
    enum reason reason;

    switch (upgrade_read(websocket->upgrade, bytes, length, &reason)) {
    case HTTP_MORE:
        return;
    case HTTP_COMPLETE:
        open_both(websocket);
        return;
    case HTTP_FAULT:
        if (reason == REASON_UPGRADE_STATUS)
            on_other_status(websocket);
        connection_drop(websocket->connection, reason);
        return;
    }
}

static const struct side_events handlers = {
    .response = on_response,
    .message = on_message,
    .piece = on_piece,
    .beat = on_beat,
    .closed = on_closed,
    .fault = on_fault,
    .flow = on_flow,
    .ended = on_ended,
};

/* ---- Time ---- */

/* The gate's own ping: proves that the client is there and moves its half-sent frames. */
static void keep_alive(struct websocket *websocket, uint64_t now_ms)
{
    struct connection *connection = websocket->connection;
    uint64_t interval_ms = connection->surface->limits.ping_interval_ms;

    if (interval_ms == 0 || side_is_blocked(&websocket->client) ||
        now_ms - websocket->pinged_ms < interval_ms)
        return;
    if (websocket->ping_outstanding) {
        connection_drop(connection, REASON_IDLE_TIMEOUT);
        return;
    }
    websocket->pinged_ms = now_ms;
    beats_ping(websocket);
    let_flow(websocket);
}

/* A client whose messages are refused is read again after a while; until then it owes no pong. */
static void end_quiet(struct websocket *websocket, uint64_t now_ms)
{
    websocket->pinged_ms = now_ms;
    if (now_ms < websocket->connection->quiet_until_ms)
        return;
    websocket->connection->quiet_until_ms = 0;
    let_flow(websocket);
}

static uint64_t tick_open(struct websocket *websocket, uint64_t now_ms, int64_t now_s)
{
    struct connection *connection = websocket->connection;
    enum reason reason = websocket_overdue(websocket, now_ms, now_s);

    if (!reason_allows(reason)) {
        connection_drop(connection, reason);
        return 0;
    }
    if (connection->quiet_until_ms != 0)
        end_quiet(websocket, now_ms);
    else
        keep_alive(websocket, now_ms);
    return websocket->state == WEBSOCKET_OPEN ? websocket_due_ms(websocket, now_ms, now_s) : 0;
}

/* What may end before the service has answered. */
static void tick_linking(struct connection *connection, bool late, int64_t now_s)
{
    if (now_s >= connection->expires_at)
        connection_drop(connection, REASON_SESSION_EXPIRED);
    else if (late)
        connection_drop(connection, REASON_UPGRADE_TIMEOUT);
}

static uint64_t tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    struct websocket *websocket = connection->served;
    bool late = connection->deadline_ms != 0 && now_ms >= connection->deadline_ms;

    if (connection->state == CONNECTION_LINGERING)
        return client_tick(connection, now_ms, now_s);
    if (websocket->state == WEBSOCKET_OPEN)
        return tick_open(websocket, now_ms, now_s);
    if (websocket->state == WEBSOCKET_LINKING) {
        tick_linking(connection, late, now_s);
    } else if (late && websocket->state == WEBSOCKET_LAST_WORDS) {
        goodbye_after_last_words(websocket);
    } else if (late) {
        connection->deadline_ms = 0;
        side_close(&websocket->service);
        side_close(&websocket->client);
    }
    return 0;
}

/* ---- The connection's mode ---- */

static void release(struct connection *connection)
{
    struct websocket *websocket = connection->served;

    side_close(&websocket->service);
    side_close(&websocket->client);
    client_end(connection);
}

static uint64_t waits_since(const struct connection *connection)
{
    return websocket_waits_since(connection->served);
}

static void destroy(struct connection *connection)
{
    struct websocket *websocket = connection->served;

    upgrade_destroy(websocket->upgrade);
    side_clear(&websocket->client);
    side_clear(&websocket->service);
    vet_state_destroy(websocket->vet);
    free(websocket->salvage);
    json_scan_destroy(websocket->ahead);
    free(websocket);
}

static const struct connection_mode websocket_mode = {
    .drop = drop,
    .part = part,
    .tick = tick,
    .waits_since = waits_since,
    .release = release,
    .destroy = destroy,
};

static void prepare_side(struct side *side, struct websocket *websocket, enum direction from)
{
    side->worker = websocket->connection->worker;
    side->events = &handlers;
    side->owner = websocket;
    side->from = from;
    side->link.fd = -1;
}

static struct websocket *create(struct connection *connection, const struct ipc_verdict *verdict)
{
    struct quota_holder holder = quota_session(connection->surface_index, connection->session_id);
    struct websocket *websocket = calloc(1, sizeof(*websocket));

    if (websocket == NULL)
        return NULL;
    websocket->connection = connection;
    prepare_side(&websocket->client, websocket, DIRECTION_C2S);
    prepare_side(&websocket->service, websocket, DIRECTION_S2C);
    websocket->upgrade = upgrade_create(verdict, connection->client->head->ticket_subprotocol);
    if (websocket->upgrade == NULL ||
        vet_state_create(connection->worker->quotas, holder, &websocket->vet) != OK) {
        upgrade_destroy(websocket->upgrade);
        free(websocket);
        return NULL;
    }
    return websocket;
}

void websocket_begin(struct connection *connection, const struct ipc_verdict *verdict, int fd)
{
    struct websocket *websocket = NULL;
    enum reason reason = grant_begin(connection, verdict);

    if (reason_allows(reason) && (websocket = create(connection, verdict)) == NULL)
        reason = REASON_INTERNAL;
    if (!reason_allows(reason)) {
        close(fd);
        grant_end(connection, reason);
        connection_drop(connection, reason);
        return;
    }
    connection->mode->destroy(connection); /* what another grant before has left */
    connection->served = websocket;
    connection->mode = &websocket_mode;
    connection_set_state(connection, CONNECTION_SERVED);
    /* Only the service is waited for: the broker has connected, and has nothing to do with it. */
    connection->deadline_ms =
        worker_now_ms(connection->worker) + connection->surface->limits.upgrade_timeout_ms;
    if (side_open(&websocket->service, fd, connection->surface->limits.max_answer_bytes) != OK)
        connection_drop(connection, REASON_INTERNAL);
    else
        connection_hold(connection);
}
