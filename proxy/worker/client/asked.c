/* What a request's head asks for: what the broker is asked, or what a grant may cover. */
#include "policy/admission.h"
#include "wire/http_body.h"
#include "wire/url.h"
#include "worker/client/connection.h"

#include <string.h>

#define CONTENT_LENGTH_MAX UINT64_C(9999999999) /* ten digits: more is nobody's body */

const char *asked_terminate(struct handshake *handshake, struct span span)
{
    if (span.data == NULL)
        return NULL;
    handshake->head[(size_t)(span.data - handshake->head) + span.length] = '\0';
    return span.data;
}

static bool is_websocket_key(struct span key)
{
    if (key.length != WS_KEY_SIZE - 1 || memcmp(key.data + key.length - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < key.length - 2; i++) {
        char c = key.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '+' || c == '/'))
            return false;
    }
    return true;
}

/*
 * Whether the request has a body, and one whose length is beyond doubt. Chunked
 * ones are for routes that carry HTTP.
 */
static enum reason check_body(struct connection *connection, bool *body)
{
    const struct handshake *handshake = connection->handshake;
    const struct route *route = admission_route(connection->surface, handshake->path, false);
    bool chunked = route != NULL && route->kind != ROUTE_WEBSOCKET;
    struct http_body framing = {0};
    enum reason reason = http_body_of_request(&handshake->request, chunked, &framing);

    *body = reason_allows(reason) && !framing.done;
    return framing.length > CONTENT_LENGTH_MAX ? REASON_LENGTH_REQUIRED : reason;
}

/* RFC 6455 section 4.2.1. *upgrade stays false for a request that asks for none. */
static enum reason check_upgrade(struct handshake *handshake, bool body, bool *upgrade)
{
    const struct http_request *request = &handshake->request;
    struct span asked, version, key;
    enum reason reason = http_request_single(request, "upgrade", &asked);

    *upgrade = false;
    if (!reason_allows(reason) || asked.data == NULL)
        return reason;
    if (!span_equals_nocase(asked, "websocket") ||
        !http_request_has_token(request, "connection", "upgrade"))
        return REASON_UPGRADE_INVALID;
    reason = http_request_single(request, "sec-websocket-version", &version);
    if (reason_allows(reason))
        reason = http_request_single(request, "sec-websocket-key", &key);
    if (!reason_allows(reason))
        return reason;
    if (!span_equals(version, "13"))
        return REASON_WEBSOCKET_VERSION;
    /* A client may not speak WebSocket before it has its 101. */
    if (key.data == NULL || !is_websocket_key(key) || body ||
        request->head_bytes != handshake->head_length)
        return REASON_UPGRADE_INVALID;
    memcpy(handshake->key, key.data, key.length);
    *upgrade = true;
    return REASON_ALLOWED;
}

struct wanted_header {
    const char *name;
    const char **value;
};

/*
 * The login cookie's value, apart from the others: they follow it in their header and
 * go on to the service. One that is too long to be ours stays too long.
 */
static const char *keep_cookie(struct handshake *handshake, struct span cookie)
{
    size_t length =
        cookie.length < sizeof(handshake->cookie) ? cookie.length : sizeof(handshake->cookie) - 1;

    if (cookie.data == NULL)
        return NULL;
    memcpy(handshake->cookie, cookie.data, length);
    handshake->cookie[length] = '\0';
    return handshake->cookie;
}

static enum reason read_headers(struct connection *connection, struct ipc_admit *admit)
{
    struct handshake *handshake = connection->handshake;
    const struct wanted_header wanted[] = {
        {"host", &admit->host},
        {"origin", &admit->origin},
        {"authorization", &admit->authorization},
        {"sec-websocket-protocol", &admit->subprotocols},
        {"sec-fetch-site", &admit->fetch_site},
    };
    struct span cookie;
    enum reason reason = login_cookie_find(connection->surface, &handshake->request, &cookie);

    if (!reason_allows(reason))
        return reason;
    admit->cookie = keep_cookie(handshake, cookie);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct span value;

        reason = http_request_single(&handshake->request, wanted[i].name, &value);
        if (!reason_allows(reason))
            return reason;
        if (value.length >= REQUEST_HEADER_BYTES_MAX)
            return REASON_HEADERS_TOO_LARGE;
        *wanted[i].value = asked_terminate(handshake, value);
    }
    return admit->host != NULL ? REASON_ALLOWED : REASON_MALFORMED;
}

/* The headers that the route forwards; the broker looks at its own copy of the list again. */
static enum reason read_route_headers(struct connection *connection, struct ipc_admit *admit)
{
    struct handshake *handshake = connection->handshake;
    const struct route *route =
        admission_route(connection->surface, handshake->path, admit->upgrade);

    for (size_t i = 0; route != NULL && i < route->headers.count; i++) {
        const char *name = route->headers.items[i];
        struct span value;
        enum reason reason = http_request_single(&handshake->request, name, &value);

        if (!reason_allows(reason))
            return reason;
        if (value.data == NULL || admit->header_count == IPC_HEADERS_MAX)
            continue;
        admit->headers[admit->header_count++] =
            (struct ipc_header_pair){name, asked_terminate(handshake, value)};
    }
    return REASON_ALLOWED;
}

/* Remembers the ticket's subprotocol: a browser must be answered with one it offered. */
static void keep_ticket_subprotocol(struct handshake *handshake, const char *subprotocols)
{
    struct span list = span_of(subprotocols), element;
    size_t prefix = sizeof(ADMISSION_TICKET_PREFIX) - 1;

    while (http_list_next(&list, &element)) {
        if (element.length > prefix && element.length < sizeof(handshake->ticket_subprotocol) &&
            memcmp(element.data, ADMISSION_TICKET_PREFIX, prefix) == 0)
            memcpy(handshake->ticket_subprotocol, element.data, element.length);
    }
}

enum reason asked_read(struct connection *connection, struct ipc_admit *admit)
{
    struct handshake *handshake = connection->handshake;
    const struct http_request *request = &handshake->request;
    enum reason reason;
    bool body;

    *admit = (struct ipc_admit){
        .connection = connection->id,
        .surface = connection->surface_index,
        .request_id = handshake->request_id,
        .listener_address = connection->listener->address,
        .listener_port = connection->listener->port,
        .caller_known = connection->caller_known,
        .caller_uid = connection->caller_uid,
        .secure = connection->surface->tls != NULL,
        .certificate = connection->certificate[0] != '\0' ? connection->certificate : NULL};
    if (url_path_decode(request->path, handshake->path, sizeof(handshake->path)) != OK) {
        handshake->path[0] = '\0';
        return REASON_PATH_INVALID;
    }
    if (request->query.length >= REQUEST_QUERY_BYTES_MAX)
        return REASON_HEADERS_TOO_LARGE;
    reason = check_body(connection, &body);
    if (reason_allows(reason))
        reason = check_upgrade(handshake, body, &admit->upgrade);
    if (reason_allows(reason))
        reason = read_headers(connection, admit);
    if (reason_allows(reason))
        reason = read_route_headers(connection, admit);
    keep_ticket_subprotocol(handshake, admit->subprotocols);
    admit->method = asked_terminate(handshake, request->method);
    admit->path = handshake->path;
    admit->body = handshake->body;
    admit->query = asked_terminate(handshake, request->query);
    return reason;
}
