#include "worker/websocket/websocket.h"

#include "worker/client/client.h"
#include "worker/client/grant.h"
#include "worker/client/held.h"
#include "worker/tls/tls.h"
#include "worker/websocket/overdue.h"
#include "worker/websocket/upgrade.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_BYTES_PAUSE 262144 /* more than this unsent: the service is not read either */
#define CLOSE_TIMEOUT_MS  2000
#define GATE_PING         "sidelock" /* payload of the gate's own pings */
#define GATE_PING_BYTES   (sizeof(GATE_PING) - 1)

/* ---- Its end ---- */

/* Why it ends, and what the other side is told: its own words, or those of who closed first. */
struct ending {
    enum reason reason;
    unsigned code;
    const char *text;
    size_t text_length;
};

/* Both WebSockets are up: say goodbye to both sides and wait a little for them. */
static void close_open(struct websocket *websocket, const struct ending *ending)
{
    struct connection *connection = websocket->connection;
    unsigned to_service = ending->code;

    websocket->state = WEBSOCKET_CLOSING;
    connection->deadline_ms = worker_now_ms(connection->worker) + CLOSE_TIMEOUT_MS;
    connection->close_code = ending->code;
    grant_end(connection, ending->reason);
    assembly_clear(&websocket->client.message);
    service_forget_message(&websocket->service);
    /* What the gate found wrong with the client is not the service's business. */
    if (ending->reason != REASON_CLIENT_CLOSED && ending->reason != REASON_UPSTREAM_CLOSED)
        to_service = 1001;
    /* A client that went without a word leaves the service without one, too; and where memory is
     * short, what a side has not taken is not kept. */
    if ((ending->reason == REASON_CLIENT_CLOSED && !websocket->client.close_received) ||
        ending->reason == REASON_QUOTA_HELD)
        service_close(&websocket->service);
    else
        service_send_close(&websocket->service, to_service, ending->text, ending->text_length);
    /* Over TLS it is that side which keeps what a client does not take. */
    if (ending->reason == REASON_QUOTA_HELD && websocket->client.blocked && connection->tls != NULL)
        tls_abort(connection->tls);
    if (!websocket->client.close_received)
        downstream_close(&websocket->client, ending->code, ending->text, ending->text_length);
}

static void drop(struct connection *connection, enum reason reason)
{
    struct websocket *websocket = connection->served;
    const struct reason_info *info = reason_info(reason);
    const struct ending ending = {reason, info->close_code, info->code, strlen(info->code)};

    switch (websocket->state) {
    case WEBSOCKET_LINKING:
        grant_end(connection, reason);
        service_close(&websocket->service);
        client_deny(connection, reason);
        return;
    case WEBSOCKET_OPEN:
        close_open(websocket, &ending);
        return;
    case WEBSOCKET_CLOSING:
        return;
    }
}

/* ---- Whole messages: vet, forward or refuse ---- */

static void send_to(struct websocket *websocket, enum direction direction, enum ws_opcode opcode,
                    unsigned char *bytes, size_t length)
{
    if (direction == DIRECTION_C2S)
        service_send(&websocket->service, opcode, bytes, length);
    else if (downstream_send(&websocket->client, opcode, bytes, length) != OK)
        connection_drop(websocket->connection, REASON_CLIENT_CLOSED);
}

/* A text of our own making: it has no headroom yet, so it is copied. */
static void send_text(struct websocket *websocket, enum direction direction, struct span text)
{
    unsigned char *copy;

    if (text.data == NULL || websocket->state != WEBSOCKET_OPEN)
        return;
    copy = malloc(ASSEMBLY_HEADROOM + text.length);
    if (copy == NULL) {
        connection_drop(websocket->connection, REASON_OUT_OF_MEMORY);
        return;
    }
    memcpy(copy + ASSEMBLY_HEADROOM, text.data, text.length);
    send_to(websocket, direction, WS_TEXT, copy + ASSEMBLY_HEADROOM, text.length);
    free(copy);
}

/* What is kept of messages, and for whoever does not take them. */
static void account(struct websocket *websocket)
{
    const struct service *service = &websocket->service;

    held_note(websocket->connection, websocket->client.message.capacity +
                                         websocket->client.blocked_bytes +
                                         service->reader.message.capacity + service->stash_length +
                                         service->link.out.capacity);
}

/*
 * Back-pressure, in one place: the client is read while the service takes what
 * it is sent, and the service is read while the client takes what it is sent.
 * A client that libwebsockets holds bytes for is not read either: it would spin.
 */
static void let_flow(struct websocket *websocket)
{
    struct service *service = &websocket->service;
    size_t unsent = service->link.out.length;
    bool blocked = websocket->client.blocked;
    bool read_service = !blocked && service->stash_length == 0 && unsent < QUEUE_BYTES_PAUSE;

    if (websocket->state != WEBSOCKET_OPEN)
        return;
    service->held = blocked;
    downstream_pause(&websocket->client,
                     blocked || unsent > 0 || websocket->connection->quiet_until_ms != 0);
    endpoint_watch(&service->link,
                   (read_service ? UV_READABLE : 0) | (unsent > 0 ? UV_WRITABLE : 0));
    account(websocket);
}

static void on_message(struct websocket *websocket, enum direction direction, unsigned char *bytes,
                       size_t length, bool binary)
{
    struct connection *connection = websocket->connection;
    struct worker *worker = connection->worker;
    struct vet_rules rules = grant_rules(connection);
    struct vet_result result;

    if (websocket->state != WEBSOCKET_OPEN)
        return;
    websocket->active_ms = worker_now_ms(worker);
    if (binary && !connection->route->binary) {
        connection_drop(connection, REASON_BINARY_REFUSED);
        return;
    }
    vet_message(websocket->vet, worker->scratch, &rules, direction, (const char *)bytes, length,
                !binary, &result);
    grant_note(connection, direction, &result);
    switch (result.action) {
    case VET_FORWARD:
        if (result.forward.data != NULL)
            send_text(websocket, direction, result.forward);
        else
            send_to(websocket, direction, binary ? WS_BINARY : WS_TEXT, bytes, length);
        break;
    case VET_REFUSE:
        send_text(websocket, direction == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S,
                  result.reply);
        send_text(websocket, direction, result.counterpart);
        if (connection->quiet_until_ms == QUIET_FOR_EVER)
            connection_drop(connection, REASON_REFUSALS_EXCEEDED);
        break;
    case VET_CLOSE:
        connection_drop(connection, result.reason);
        return;
    }
    let_flow(websocket);
}

/* At most WS_CONTROL_PAYLOAD_MAX bytes. */
static void ping_client(struct websocket *websocket, const void *payload, size_t length)
{
    unsigned char ping[ASSEMBLY_HEADROOM + WS_CONTROL_PAYLOAD_MAX];

    if (length > 0)
        memcpy(ping + ASSEMBLY_HEADROOM, payload, length);
    send_to(websocket, DIRECTION_S2C, WS_PING, ping + ASSEMBLY_HEADROOM, length);
    let_flow(websocket);
}

/* ---- What else the sides say ---- */

static void on_pong(struct websocket *websocket, const unsigned char *payload, size_t length)
{
    if (websocket->ping_outstanding && length == GATE_PING_BYTES &&
        memcmp(payload, GATE_PING, GATE_PING_BYTES) == 0) {
        websocket->ping_outstanding = false;
    } else if (websocket->service_pings > 0) {
        websocket->service_pings--;
        service_send(&websocket->service, WS_PONG, payload, length);
        let_flow(websocket);
    }
}

/* The service's pings are carried to the client, whose pongs are carried back. */
static void on_beat(struct websocket *websocket, enum direction from, const unsigned char *payload,
                    size_t length)
{
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    if (from == DIRECTION_C2S) {
        on_pong(websocket, payload, length);
        return;
    }
    websocket->service_pings++;
    ping_client(websocket, payload, length);
}

static void on_closed(struct websocket *websocket, enum direction from, unsigned code,
                      const char *text, size_t length)
{
    const struct ending ending = {
        from == DIRECTION_C2S ? REASON_CLIENT_CLOSED : REASON_UPSTREAM_CLOSED, code, text, length};

    if (websocket->state == WEBSOCKET_OPEN)
        close_open(websocket, &ending);
}

static void on_fault(struct websocket *websocket, enum reason reason)
{
    /* A service that hangs up instead of its 101 has refused. */
    if (websocket->state == WEBSOCKET_LINKING && reason == REASON_UPSTREAM_GONE)
        reason = REASON_UPGRADE_CLOSED;
    connection_drop(websocket->connection, reason);
}

static void on_flow(struct websocket *websocket)
{
    if (websocket->state != WEBSOCKET_OPEN)
        return;
    let_flow(websocket);
    service_resume(&websocket->service);
    held_check(websocket->connection->worker);
}

static void on_kept(struct websocket *websocket)
{
    account(websocket);
    held_check(websocket->connection->worker);
}

static void on_ended(struct websocket *websocket, enum direction from)
{
    if (from == DIRECTION_C2S)
        connection_drop(websocket->connection, REASON_CLIENT_CLOSED);
    connection_let_go(websocket->connection);
}

/* The service is there: answer the client's handshake and let messages flow. */
static void open_both(struct websocket *websocket)
{
    struct connection *connection = websocket->connection;
    struct client *client = connection->client;
    struct upgrade *upgrade = websocket->upgrade;
    struct span rest = upgrade_rest(upgrade);
    uint64_t now_ms = worker_now_ms(connection->worker);

    websocket->upgrade = NULL;
    websocket->state = WEBSOCKET_OPEN;
    websocket->active_ms = websocket->pinged_ms = now_ms;
    connection->opened = true;
    connection->deadline_ms = 0;
    if (downstream_adopt(&websocket->client, endpoint_give_fd(&client->endpoint), client->head->key,
                         upgrade_subprotocol(upgrade)) != OK) {
        client_end(connection);
        connection_drop(connection, REASON_CLIENT_CLOSED);
    } else {
        connection_hold(connection);
        client_end(connection);
        /* Bytes after the head are the service's first frames. */
        service_receive(&websocket->service, (unsigned char *)(uintptr_t)rest.data, rest.length);
    }
    upgrade_destroy(upgrade);
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
            client_saw(websocket->connection->client, upgrade_status_line(websocket->upgrade));
        connection_drop(websocket->connection, reason);
        return;
    }
}

static const struct side_events handlers = {
    .response = on_response,
    .message = on_message,
    .kept = on_kept,
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

    if (interval_ms == 0 || websocket->client.blocked ||
        now_ms - websocket->pinged_ms < interval_ms)
        return;
    if (websocket->ping_outstanding) {
        connection_drop(connection, REASON_IDLE_TIMEOUT);
        return;
    }
    websocket->pinged_ms = now_ms;
    websocket->ping_outstanding = true;
    ping_client(websocket, GATE_PING, GATE_PING_BYTES);
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

static void tick_open(struct websocket *websocket, uint64_t now_ms, int64_t now_s)
{
    struct connection *connection = websocket->connection;
    enum reason reason = websocket_overdue(websocket, now_ms, now_s);

    if (reason_allows(reason) && connection->quiet_until_ms != 0)
        end_quiet(websocket, now_ms);
    else if (reason_allows(reason))
        keep_alive(websocket, now_ms);
    else
        connection_drop(connection, reason);
}

/* What may end before the service has answered. */
static void tick_linking(struct connection *connection, bool late, int64_t now_s)
{
    if (now_s >= connection->expires_at)
        connection_drop(connection, REASON_SESSION_EXPIRED);
    else if (late)
        connection_drop(connection, REASON_UPGRADE_TIMEOUT);
}

static void tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    struct websocket *websocket = connection->served;
    bool late = connection->deadline_ms != 0 && now_ms >= connection->deadline_ms;

    if (connection->state == CONNECTION_LINGERING) {
        client_tick(connection, now_ms, now_s);
    } else if (websocket->state == WEBSOCKET_OPEN) {
        tick_open(websocket, now_ms, now_s);
    } else if (websocket->state == WEBSOCKET_LINKING) {
        tick_linking(connection, late, now_s);
    } else if (late) {
        connection->deadline_ms = 0;
        service_close(&websocket->service);
        downstream_abort(&websocket->client);
    }
}

/* ---- The connection's mode ---- */

static void release(struct connection *connection)
{
    struct websocket *websocket = connection->served;

    service_close(&websocket->service);
    downstream_abort(&websocket->client);
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
    assembly_clear(&websocket->client.message);
    service_clear(&websocket->service);
    vet_state_destroy(websocket->vet);
    free(websocket);
}

static const struct connection_mode websocket_mode = {
    .drop = drop,
    .tick = tick,
    .waits_since = waits_since,
    .release = release,
    .destroy = destroy,
};

static struct websocket *create(struct downstreams *downstreams, struct connection *connection,
                                const struct ipc_verdict *verdict)
{
    struct quota_holder holder = quota_session(connection->surface_index, connection->session_id);
    struct websocket *websocket = calloc(1, sizeof(*websocket));

    if (websocket == NULL)
        return NULL;
    websocket->connection = connection;
    websocket->service.worker = connection->worker;
    websocket->service.events = &handlers;
    websocket->service.link.fd = -1;
    websocket->service.owner = websocket;
    websocket->client.all = downstreams;
    websocket->client.events = &handlers;
    websocket->client.owner = websocket;
    websocket->client.max_message_bytes = connection->surface->limits.max_message_bytes;
    websocket->upgrade = upgrade_create(verdict, connection->client->head->ticket_subprotocol);
    if (websocket->upgrade == NULL ||
        vet_state_create(connection->worker->quotas, holder, &websocket->vet) != OK) {
        upgrade_destroy(websocket->upgrade);
        free(websocket);
        return NULL;
    }
    return websocket;
}

void websocket_begin(struct downstreams *downstreams, struct connection *connection,
                     const struct ipc_verdict *verdict, int fd)
{
    struct websocket *websocket = NULL;
    enum reason reason = grant_begin(connection, verdict);

    if (reason_allows(reason) && (websocket = create(downstreams, connection, verdict)) == NULL)
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
    if (service_open(&websocket->service, fd, connection->surface->limits.max_answer_bytes) != OK)
        connection_drop(connection, REASON_INTERNAL);
    else
        connection_hold(connection);
}
