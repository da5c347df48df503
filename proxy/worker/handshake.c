#include "base/secret.h"
#include "policy/admission.h"
#include "wire/url.h"
#include "worker/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_BYTES_MAX   (256 * 1024)
#define CONTENT_LENGTH_MAX UINT64_C(9999999999) /* ten digits: more is nobody's body */

static void on_poll(uv_poll_t *poll, int status, int events);

static enum error new_request_id(struct handshake *handshake)
{
    unsigned char random[(REQUEST_ID_SIZE - 1) / 2];
    enum error error = secret_random(random, sizeof(random));

    text_hex(random, sizeof(random), handshake->request_id);
    return error;
}

enum error handshake_start(struct connection *connection, int fd)
{
    struct handshake *handshake = calloc(1, sizeof(*handshake));

    if (handshake == NULL)
        return ERROR_MEMORY;
    if (new_request_id(handshake) != OK ||
        uv_poll_init(&connection->worker->loop, &handshake->poll, fd) != 0) {
        free(handshake);
        return ERROR_IO;
    }
    handshake->fd = fd;
    handshake->connection = connection;
    handshake->poll.data = handshake;
    buffer_init(&handshake->offer, 1024);
    buffer_init(&handshake->response, HTTP_HEAD_BYTES_MAX + READ_BYTES);
    buffer_init(&handshake->denial, HTTP_HEAD_BYTES_MAX);
    connection->handshake = handshake;
    handshake_watch(connection, UV_READABLE);
    return OK;
}

void handshake_watch(struct connection *connection, int events)
{
    struct handshake *handshake = connection->handshake;

    if (handshake->events == events)
        return;
    handshake->events = events;
    uv_poll_start(&handshake->poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct handshake *handshake = handle->data;

    if (handshake->fd >= 0)
        close(handshake->fd);
    free(handshake->head);
    buffer_clear(&handshake->offer);
    buffer_clear(&handshake->response);
    buffer_clear(&handshake->denial);
    free(handshake);
}

void handshake_end(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;

    if (handshake == NULL)
        return;
    connection->handshake = NULL;
    /* The head held the client's credential. */
    if (handshake->head != NULL)
        secret_wipe(handshake->head, HTTP_HEAD_BYTES_MAX);
    uv_close((uv_handle_t *)&handshake->poll, on_closed);
}

int handshake_release_fd(struct connection *connection)
{
    int fd = connection->handshake->fd;

    uv_poll_stop(&connection->handshake->poll);
    connection->handshake->fd = -1;
    return fd;
}

void handshake_free_head(struct handshake *handshake)
{
    if (handshake->head == NULL)
        return;
    secret_wipe(handshake->head, handshake->head_length);
    free(handshake->head);
    handshake->head = NULL;
    handshake->head_length = 0;
    handshake->request = (struct http_request){0};
}

/* Writes what is left of the denial, then says that no more comes. */
static void write_denial(struct handshake *handshake)
{
    struct buffer *denial = &handshake->denial;

    while (denial->length > 0) {
        ssize_t sent = send(handshake->fd, denial->data, denial->length, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            handshake_watch(handshake->connection, UV_READABLE | UV_WRITABLE);
            return;
        }
        if (sent <= 0) {
            denial->length = 0;
            break;
        }
        memmove(denial->data, denial->data + sent, denial->length - (size_t)sent);
        denial->length -= (size_t)sent;
    }
    shutdown(handshake->fd, SHUT_WR);
    handshake_watch(handshake->connection, UV_READABLE);
}

/* NUL-terminates a span in the head, where a delimiter follows every span. */
static const char *terminate(struct handshake *handshake, struct span span)
{
    if (span.data == NULL)
        return NULL;
    handshake->head[(size_t)(span.data - handshake->head) + span.length] = '\0';
    return span.data;
}

void handshake_deny(struct connection *connection, enum reason reason)
{
    struct handshake *handshake = connection->handshake;
    bool silent = reason == REASON_CLIENT_CLOSED ||
                  (connection->state == CONNECTION_HEAD && handshake->head_length == 0 &&
                   reason != REASON_CAPACITY);

    /* The broker knows of its own denials and of what it admitted. */
    if (!silent && (connection->state == CONNECTION_HEAD ||
                    connection->state == CONNECTION_EXCHANGE || reason == REASON_ADMISSION_TIMEOUT))
        report_denied(connection, reason, terminate(handshake, handshake->request.query));
    if (!silent)
        denial_write(connection, reason, &handshake->denial);
    if (silent)
        handshake->denial.failed = true;
    handshake_answer(connection);
}

void handshake_answer(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;

    connection->state = CONNECTION_LINGERING;
    connection->deadline_ms = worker_now_ms(connection->worker) + LINGER_TIMEOUT_MS;
    if (buffer_failed(&handshake->denial)) {
        handshake_end(connection);
        connection_release(connection);
        return;
    }
    write_denial(handshake);
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
        *wanted[i].value = terminate(handshake, value);
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
            (struct ipc_header_pair){name, terminate(handshake, value)};
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

static enum reason build_admit(struct connection *connection, struct ipc_admit *admit)
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
    admit->method = terminate(handshake, request->method);
    admit->path = handshake->path;
    admit->body = handshake->body;
    admit->query = terminate(handshake, request->query);
    return reason;
}

/* The head is complete: refuse it here, or ask the broker. */
static void ask_broker(struct connection *connection)
{
    struct ipc_admit admit;
    enum reason reason = build_admit(connection, &admit);

    if (!reason_allows(reason)) {
        connection_drop(connection, reason);
        return;
    }
    if (grant_covers(connection, &admit)) {
        exchange_begin(connection, &admit);
        return;
    }
    grant_end(connection, REASON_CLIENT_CLOSED);
    admit.connection = connection->id;
    connection->state = CONNECTION_ADMITTING;
    connection->asked_ms = worker_now_ms(connection->worker);
    connection->deadline_ms = connection->asked_ms + ADMISSION_TIMEOUT_MS +
                              connection->surface->limits.upstream_timeout_ms;
    handshake_watch(connection, UV_DISCONNECT);
    report_admit(connection, &admit);
}

void handshake_granted(struct connection *connection, const struct ipc_verdict *verdict)
{
    struct ipc_admit admit;

    if (reason_allows(build_admit(connection, &admit)))
        grant_given(connection, verdict, &admit);
    else
        connection_drop(connection, REASON_INTERNAL);
}

/* What has come so far: a whole head, or not yet. */
static void parse_head(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;
    enum http_progress progress;
    enum reason reason;

    progress =
        http_request_parse(handshake->head, handshake->head_length, &handshake->request, &reason);
    if (progress == HTTP_COMPLETE)
        progress = own_paths_read(handshake, &reason);
    switch (progress) {
    case HTTP_MORE:
        return;
    case HTTP_COMPLETE:
        ask_broker(connection);
        return;
    case HTTP_FAULT:
        handshake->request = (struct http_request){0};
        connection_drop(connection, reason);
        return;
    }
}

static void read_head(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;
    ssize_t received;

    if (handshake->head == NULL) {
        handshake->head = malloc(HTTP_HEAD_BYTES_MAX);
        if (handshake->head == NULL) {
            connection_drop(connection, REASON_CAPACITY);
            return;
        }
    }
    received = recv(handshake->fd, handshake->head + handshake->head_length,
                    HTTP_HEAD_BYTES_MAX - handshake->head_length, 0);
    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received <= 0) {
        connection_drop(connection, handshake->head_length > 0 && received == 0
                                        ? REASON_MALFORMED
                                        : REASON_CLIENT_CLOSED);
        return;
    }
    /* Of a further request, the wait for it does not count. */
    if (handshake->head_length == 0 && connection->admitted)
        connection->deadline_ms = worker_now_ms(connection->worker) + HEAD_TIMEOUT_MS;
    handshake->head_length += (size_t)received;
    parse_head(connection);
}

void handshake_next(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;
    size_t taken = handshake->request.head_bytes;
    size_t rest = handshake->head_length > taken ? handshake->head_length - taken : 0;

    if (new_request_id(handshake) != OK) {
        connection_drop(connection, REASON_INTERNAL);
        return;
    }
    connection->state = CONNECTION_HEAD;
    connection->deadline_ms =
        worker_now_ms(connection->worker) + (rest > 0 ? HEAD_TIMEOUT_MS : KEEP_ALIVE_TIMEOUT_MS);
    handshake->path[0] = handshake->ticket_subprotocol[0] = '\0';
    handshake_watch(connection, UV_READABLE);
    if (rest == 0) {
        handshake_free_head(handshake);
        return;
    }
    memmove(handshake->head, handshake->head + taken, rest);
    handshake->head_length = rest;
    handshake->request = (struct http_request){0};
    parse_head(connection);
}

/* After a denial: take what the client still sends, so that it can read our answer. */
static void linger(struct connection *connection)
{
    struct handshake *handshake = connection->handshake;
    ssize_t received;

    if (handshake->denial.length > 0) {
        write_denial(handshake);
        return;
    }
    received = recv(handshake->fd, connection->worker->read_buffer, READ_BYTES, 0);
    handshake->lingered_bytes += received > 0 ? (size_t)received : 0;
    if (received == 0 || (received < 0 && errno != EAGAIN && errno != EINTR) ||
        handshake->lingered_bytes > LINGER_BYTES_MAX) {
        handshake_end(connection);
        connection_release(connection);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = ((struct handshake *)poll->data)->connection;

    if (connection->handshake == NULL)
        return;
    if (connection->state == CONNECTION_LINGERING)
        linger(connection);
    else if (connection->state == CONNECTION_EXCHANGE && status == 0)
        exchange_client_ready(connection, events);
    else if (status < 0 || connection->state != CONNECTION_HEAD)
        connection_drop(connection, REASON_CLIENT_CLOSED);
    else
        read_head(connection);
}
