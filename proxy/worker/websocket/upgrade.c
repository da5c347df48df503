#include "worker/websocket/upgrade.h"

#include "base/buffer.h"
#include "wire/ws_frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFER_BYTES_MAX 1024
/* One read behind the longest head. */
#define RESPONSE_BYTES_MAX (HTTP_HEAD_BYTES_MAX + 65536)

struct upgrade {
    char accept[WS_ACCEPT_SIZE]; /* what the service owes */
    char subprotocol[64];        /* what the client is answered; "": none */
    struct buffer offer;         /* subprotocols offered to the service */
    struct buffer response;      /* the service's head, and what came with it */
    size_t head_bytes;           /* of it */
};

struct upgrade *upgrade_create(const struct ipc_verdict *verdict, const char *ticket)
{
    struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

    if (upgrade == NULL)
        return NULL;
    memcpy(upgrade->accept, verdict->accept, sizeof(upgrade->accept));
    snprintf(upgrade->subprotocol, sizeof(upgrade->subprotocol), "%s", ticket);
    buffer_init(&upgrade->offer, OFFER_BYTES_MAX);
    buffer_init(&upgrade->response, RESPONSE_BYTES_MAX);
    buffer_append_text(&upgrade->offer, verdict->offer);
    return upgrade;
}

void upgrade_destroy(struct upgrade *upgrade)
{
    if (upgrade == NULL)
        return;
    buffer_clear(&upgrade->offer);
    buffer_clear(&upgrade->response);
    free(upgrade);
}

/* The subprotocol that the service chose: one that was offered, or none. */
static enum reason choose_subprotocol(struct upgrade *upgrade, const struct http_response *response)
{
    struct span chosen, offer, element;
    enum reason reason = http_fields_single(&response->fields, "sec-websocket-protocol", &chosen);

    if (!reason_allows(reason))
        return REASON_ANSWER_DUPLICATE;
    if (chosen.data == NULL) {
        if (upgrade->offer.length > 0)
            upgrade->subprotocol[0] = '\0';
        return REASON_ALLOWED;
    }
    offer = (struct span){upgrade->offer.data, upgrade->offer.length};
    while (http_list_next(&offer, &element)) {
        if (!span_same(element, chosen) || chosen.length >= sizeof(upgrade->subprotocol))
            continue;
        memcpy(upgrade->subprotocol, chosen.data, chosen.length);
        upgrade->subprotocol[chosen.length] = '\0';
        return REASON_ALLOWED;
    }
    return REASON_UPGRADE_SUBPROTOCOL;
}

/* RFC 6455 section 4.1, what a client checks of the server's handshake. */
static enum reason check_response(struct upgrade *upgrade, const struct http_response *response)
{
    struct span accept, extensions;

    if (response->status != 101)
        return REASON_UPGRADE_STATUS;
    if (response->http_1_0 || !http_fields_have_token(&response->fields, "upgrade", "websocket") ||
        !http_fields_have_token(&response->fields, "connection", "upgrade") ||
        !reason_allows(http_fields_single(&response->fields, "sec-websocket-accept", &accept)) ||
        !span_equals(accept, upgrade->accept))
        return REASON_UPGRADE_HANDSHAKE;
    if (!reason_allows(
            http_fields_single(&response->fields, "sec-websocket-extensions", &extensions)) ||
        extensions.length > 0)
        return REASON_UPGRADE_EXTENSION;
    return choose_subprotocol(upgrade, response);
}

enum http_progress upgrade_read(struct upgrade *upgrade, const unsigned char *bytes, size_t length,
                                enum reason *reason)
{
    struct http_response response;
    enum http_progress progress;

    *reason = REASON_ANSWER_HEAD;
    buffer_append(&upgrade->response, bytes, length);
    if (buffer_failed(&upgrade->response))
        return HTTP_FAULT;
    progress = http_response_parse(upgrade->response.data, upgrade->response.length, &response);
    if (progress != HTTP_COMPLETE)
        return progress;
    upgrade->head_bytes = response.head_bytes;
    *reason = check_response(upgrade, &response);
    return reason_allows(*reason) ? HTTP_COMPLETE : HTTP_FAULT;
}

struct span upgrade_status_line(const struct upgrade *upgrade)
{
    struct span rest = {upgrade->response.data, upgrade->response.length};

    return rest.data != NULL ? span_split(&rest, '\r') : rest;
}

const char *upgrade_subprotocol(const struct upgrade *upgrade)
{
    return upgrade->subprotocol;
}

size_t upgrade_answer(const struct upgrade *upgrade, const char *key, char out[UPGRADE_ANSWER_SIZE])
{
    bool chosen = upgrade->subprotocol[0] != '\0';
    char accept[WS_ACCEPT_SIZE];

    ws_accept_of(key, accept);
    return (size_t)snprintf(out, UPGRADE_ANSWER_SIZE,
                            "HTTP/1.1 101 Switching Protocols\r\n"
                            "Upgrade: websocket\r\n"
                            "Connection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %s\r\n"
                            "%s%s%s\r\n",
                            accept, chosen ? "Sec-WebSocket-Protocol: " : "", upgrade->subprotocol,
                            chosen ? "\r\n" : "");
}

struct span upgrade_rest(const struct upgrade *upgrade)
{
    return (struct span){upgrade->response.data + upgrade->head_bytes,
                         upgrade->response.length - upgrade->head_bytes};
}
