#include "worker/websocket/relay.h"

#include "worker/client/grant.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_BYTES_PAUSE 262144 /* more than this unsent: the service is not read either */

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
        connection_drop(websocket->connection, REASON_CAPACITY);
        return;
    }
    memcpy(copy + ASSEMBLY_HEADROOM, text.data, text.length);
    send_to(websocket, direction, WS_TEXT, copy + ASSEMBLY_HEADROOM, text.length);
    free(copy);
}

static enum direction opposite(enum direction direction)
{
    return direction == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S;
}

void relay_message(struct websocket *websocket, enum direction direction, unsigned char *bytes,
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
        send_text(websocket, opposite(direction), result.reply);
        send_text(websocket, direction, result.counterpart);
        break;
    case VET_CLOSE:
        connection_drop(connection, result.reason);
        return;
    }
    relay_flow(websocket);
}

void relay_ping(struct websocket *websocket, const void *payload, size_t length)
{
    unsigned char ping[ASSEMBLY_HEADROOM + WS_CONTROL_PAYLOAD_MAX];

    if (length > 0)
        memcpy(ping + ASSEMBLY_HEADROOM, payload, length);
    send_to(websocket, DIRECTION_S2C, WS_PING, ping + ASSEMBLY_HEADROOM, length);
    relay_flow(websocket);
}

/*
 * Back-pressure, in one place: the client is read while the service takes what
 * it is sent, and the service is read while the client takes what it is sent.
 * A client that libwebsockets holds bytes for is not read either: it would spin.
 */
void relay_flow(struct websocket *websocket)
{
    struct service *service = &websocket->service;
    size_t unsent = service->link.out.length;
    bool blocked = websocket->client.blocked;
    bool read_service = !blocked && service->stash_length == 0 && unsent < QUEUE_BYTES_PAUSE;

    if (websocket->state != WEBSOCKET_OPEN)
        return;
    service->held = blocked;
    downstream_pause(&websocket->client, blocked || unsent > 0);
    endpoint_watch(&service->link,
                   (read_service ? UV_READABLE : 0) | (unsent > 0 ? UV_WRITABLE : 0));
}
