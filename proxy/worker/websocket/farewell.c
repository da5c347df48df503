#include "worker/websocket/farewell.h"

#define FAREWELL_BYTES_MAX 4096

static void say(struct side *side, struct buffer *text)
{
    if (text->length > 0)
        side_send(side, WS_TEXT, (const unsigned char *)text->data, text->length);
    buffer_reset(text);
}

/* Whether the client reads on, and is not the one who ended it. */
static bool is_client_told(const struct websocket *websocket, enum reason reason)
{
    const struct side *client = &websocket->client;

    return websocket->state == WEBSOCKET_CLOSING && reason != REASON_CLIENT_CLOSED &&
           reason != REASON_WRITE_STALLED && !client->close_received && !side_is_blocked(client);
}

static bool is_service_told(const struct websocket *websocket, enum reason reason)
{
    const struct side *service = &websocket->service;

    return reason_info(reason)->close_code != 1014 && reason != REASON_UPSTREAM_CLOSED &&
           reason != REASON_QUOTA_HELD && !service->close_received && !service->is_lost;
}

void farewell_say(struct websocket *websocket, enum reason reason)
{
    const struct vet_ending ending = {
        .vocabulary = websocket->connection->route->vocabulary,
        .reason = reason,
        .all = true,
        /* Who made a mistake has not said goodbye: what has no answer in the end is told then. */
        .awaited = websocket->state == WEBSOCKET_LAST_WORDS && websocket->client.is_lost,
    };
    const bool client = is_client_told(websocket, reason);
    const bool service = is_service_told(websocket, reason);
    struct buffer to_client, to_service;

    buffer_init(&to_client, FAREWELL_BYTES_MAX);
    buffer_init(&to_service, FAREWELL_BYTES_MAX);
    while (vet_state_fail(websocket->vet, &ending, client ? &to_client : NULL,
                          service ? &to_service : NULL)) {
        say(&websocket->client, &to_client);
        say(&websocket->service, &to_service);
    }
    buffer_clear(&to_client);
    buffer_clear(&to_service);
}
