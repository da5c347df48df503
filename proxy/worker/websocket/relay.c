#include "worker/client/connection.h"

#include <stdlib.h>
#include <string.h>

struct vet_rules relay_rules(const struct connection *connection)
{
    const struct surface *surface = connection->surface;

    return (struct vet_rules){
        .vocabulary = connection->route->vocabulary,
        .verbs = surface->allow_verbs_set ? &surface->allow_verbs : NULL,
        .targets = surface->allow_targets_set ? &surface->allow_targets : NULL,
        .server_verbs = surface->allow_server_verbs_set ? &surface->allow_server_verbs : NULL,
        .session_verbs = connection->session_verbs_set ? &connection->session_verbs : NULL,
        .session_targets = connection->session_targets_set ? &connection->session_targets : NULL,
        .match_digest = connection->match_digest[0] != '\0' ? connection->match_digest : NULL,
        .observe = surface->mode == MODE_OBSERVE,
        .close_on_refusal = surface->on_refusal == ON_REFUSAL_CLOSE,
    };
}

static void send_to(struct connection *connection, enum direction direction, enum ws_opcode opcode,
                    unsigned char *bytes, size_t length)
{
    if (direction == DIRECTION_C2S)
        link_send(connection, opcode, bytes, length);
    else if (downstream_send(connection, opcode, bytes, length) != OK)
        connection_drop(connection, REASON_CLIENT_CLOSED);
}

/* A text of our own making: it has no headroom yet, so it is copied. */
static void send_text(struct connection *connection, enum direction direction, struct span text)
{
    unsigned char *copy;

    if (text.data == NULL || connection->state != CONNECTION_OPEN)
        return;
    copy = malloc(PRE_BYTES + text.length);
    if (copy == NULL) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    memcpy(copy + PRE_BYTES, text.data, text.length);
    send_to(connection, direction, WS_TEXT, copy + PRE_BYTES, text.length);
    free(copy);
}

static enum direction opposite(enum direction direction)
{
    return direction == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S;
}

void relay_message(struct connection *connection, enum direction direction, unsigned char *bytes,
                   size_t length, bool binary)
{
    struct worker *worker = connection->worker;
    struct surface_counts *counts = &worker->surfaces[connection->surface_index];
    struct vet_rules rules = relay_rules(connection);
    struct vet_result result;

    connection->active_ms = worker_now_ms(worker);
    if (binary && !connection->route->binary) {
        connection_drop(connection, REASON_BINARY_REFUSED);
        return;
    }
    vet_message(connection->vet, worker->scratch, &rules, direction, (const char *)bytes, length,
                !binary, &result);
    if (!reason_allows(result.reason)) {
        counts->refused++;
        report_refused(connection, direction, &result);
    }
    switch (result.action) {
    case VET_FORWARD:
        connection->messages[direction]++;
        counts->forwarded++;
        if (result.forward.data != NULL)
            send_text(connection, direction, result.forward);
        else
            send_to(connection, direction, binary ? WS_BINARY : WS_TEXT, bytes, length);
        break;
    case VET_REFUSE:
        send_text(connection, opposite(direction), result.reply);
        send_text(connection, direction, result.counterpart);
        break;
    case VET_CLOSE:
        connection_drop(connection, result.reason);
        return;
    }
    if (connection->state == CONNECTION_OPEN)
        relay_flow(connection);
}

/*
 * Back-pressure, in one place: the client is read while the service takes what
 * it is sent, and the service is read while the client takes what it is sent.
 * A client that libwebsockets holds bytes for is not read either: it would spin.
 */
void relay_flow(struct connection *connection)
{
    const struct link *link = &connection->link;
    bool read_client = !connection->client_blocked && link->out_length == 0;
    bool read_link = !connection->client_blocked && link->stash_length == 0 &&
                     link->out_length < LINK_QUEUE_BYTES_PAUSE;

    if (connection->state != CONNECTION_OPEN)
        return;
    downstream_pause(connection, !read_client);
    link_watch(connection,
               (read_link ? UV_READABLE : 0) | (link->out_length > 0 ? UV_WRITABLE : 0));
}
