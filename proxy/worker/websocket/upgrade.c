#include "wire/http_response.h"
#include "worker/client/connection.h"

#include <string.h>
#include <unistd.h>

void upgrade_admitted(struct connection *connection, const struct ipc_verdict *verdict, int fd)
{
    connection->admitted = true;
    memcpy(connection->session_id, verdict->session_id, sizeof(connection->session_id));
    if (connection_keep_verdict(connection, verdict) != OK) {
        close(fd);
        connection_drop(connection, REASON_INTERNAL);
        return;
    }
    memcpy(connection->handshake->accept, verdict->accept, sizeof(verdict->accept));
    buffer_append_text(&connection->handshake->offer, verdict->offer);
    connection->state = CONNECTION_LINKING;
    /* One deadline for all of it: connecting, preparing and the handshake. */
    connection->deadline_ms =
        connection->asked_ms + connection->surface->limits.upstream_timeout_ms;
    if (link_start(connection, fd) != OK)
        connection_drop(connection, REASON_INTERNAL);
}

/* The subprotocol that the service chose: one that was offered, or none. */
static enum reason choose_subprotocol(struct handshake *handshake,
                                      const struct http_response *response)
{
    struct span chosen, offer, element;
    enum reason reason = http_response_single(response, "sec-websocket-protocol", &chosen);

    if (!reason_allows(reason))
        return REASON_UPSTREAM_PROTOCOL;
    if (chosen.data == NULL) {
        memcpy(handshake->subprotocol, handshake->ticket_subprotocol,
               sizeof(handshake->subprotocol));
        if (handshake->offer.length > 0)
            handshake->subprotocol[0] = '\0';
        return REASON_ALLOWED;
    }
    offer = (struct span){handshake->offer.data, handshake->offer.length};
    while (http_list_next(&offer, &element)) {
        if (!span_same(element, chosen) || chosen.length >= sizeof(handshake->subprotocol))
            continue;
        memcpy(handshake->subprotocol, chosen.data, chosen.length);
        handshake->subprotocol[chosen.length] = '\0';
        return REASON_ALLOWED;
    }
    return REASON_UPSTREAM_PROTOCOL;
}

/* RFC 6455 section 4.1, what a client checks of the server's handshake. */
static enum reason check_response(struct handshake *handshake, const struct http_response *response)
{
    struct span accept, extensions;

    if (response->status != 101)
        return REASON_UPSTREAM_REFUSED;
    if (response->http_1_0 || !http_response_has_token(response, "upgrade", "websocket") ||
        !http_response_has_token(response, "connection", "upgrade") ||
        !reason_allows(http_response_single(response, "sec-websocket-accept", &accept)) ||
        !span_equals(accept, handshake->accept) ||
        !reason_allows(http_response_single(response, "sec-websocket-extensions", &extensions)) ||
        extensions.length > 0)
        return REASON_UPSTREAM_PROTOCOL;
    return choose_subprotocol(handshake, response);
}

/* The service is there: answer the client's handshake and let messages flow. */
static void open_connection(struct connection *connection, size_t head_bytes)
{
    struct handshake *handshake = connection->handshake;
    struct buffer rest = handshake->response;
    uint64_t now_ms = worker_now_ms(connection->worker);

    /* Bytes after the head are the service's first frames. */
    buffer_init(&handshake->response, 0);
    connection->state = CONNECTION_OPEN;
    connection->opened = true;
    connection->deadline_ms = 0;
    connection->active_ms = connection->pinged_ms = now_ms;
    if (downstream_adopt(connection, handshake_release_fd(connection)) != OK) {
        handshake_end(connection);
        connection_drop(connection, REASON_CLIENT_CLOSED);
    } else {
        handshake_end(connection);
        if (rest.length > head_bytes)
            link_receive(connection, (unsigned char *)rest.data + head_bytes,
                         rest.length - head_bytes);
    }
    buffer_clear(&rest);
}

void upgrade_response(struct connection *connection, const unsigned char *bytes, size_t length)
{
    struct handshake *handshake = connection->handshake;
    struct http_response response;
    enum reason reason = REASON_UPSTREAM_PROTOCOL;

    buffer_append(&handshake->response, bytes, length);
    if (buffer_failed(&handshake->response)) {
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
        return;
    }
    switch (http_response_parse(handshake->response.data, handshake->response.length, &response,
                                &reason)) {
    case HTTP_MORE:
        return;
    case HTTP_COMPLETE:
        reason = check_response(handshake, &response);
        break;
    case HTTP_FAULT:
        break;
    }
    if (reason_allows(reason))
        open_connection(connection, response.head_bytes);
    else
        connection_drop(connection, reason);
}
