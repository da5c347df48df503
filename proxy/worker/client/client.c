#include "base/secret.h"
#include "wire/http_denial.h"
#include "worker/http/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Those of an exchange that goes well, too: a change of them takes system calls. */
#define HANDSHAKE_EVENTS (UV_READABLE | UV_DISCONNECT)
#define LINGER_BYTES_MAX (256 * 1024)

static void on_poll(uv_poll_t *poll, int status, int events);

static void new_request_id(struct worker *worker, struct handshake *handshake)
{
    unsigned char random[(REQUEST_ID_SIZE - 1) / 2];

    worker_random(worker, random, sizeof(random));
    text_hex(random, sizeof(random), handshake->request_id);
}

enum error handshake_start(struct connection *connection, int fd)
{
    struct handshake *handshake = calloc(1, sizeof(*handshake));

    if (handshake == NULL)
        return ERROR_MEMORY;
    if (uv_poll_init(&connection->worker->loop, &handshake->poll, fd) != 0) {
        free(handshake);
        return ERROR_IO;
    }
    handshake->fd = fd;
    handshake->connection = connection;
    handshake->poll.data = handshake;
    new_request_id(connection->worker, handshake);
    buffer_init(&handshake->offer, 1024);
    buffer_init(&handshake->response, HTTP_HEAD_BYTES_MAX + READ_BYTES);
    buffer_init(&handshake->denial, HTTP_HEAD_BYTES_MAX);
    connection->handshake = handshake;
    handshake_watch(connection, HANDSHAKE_EVENTS);
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

void handshake_forget_request(struct handshake *handshake)
{
    if (handshake->request.method.data == NULL)
        return;
    handshake->head_only = span_equals(handshake->request.method, "HEAD");
    handshake->page = http_denial_wants_page(&handshake->request);
    handshake->request = (struct http_request){0};
}

void handshake_free_head(struct handshake *handshake)
{
    if (handshake->head == NULL)
        return;
    handshake_forget_request(handshake);
    secret_wipe(handshake->head, handshake->head_length);
    free(handshake->head);
    handshake->head = NULL;
    handshake->head_length = 0;
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

void handshake_deny(struct connection *connection, enum reason reason)
{
    struct handshake *handshake = connection->handshake;
    bool silent = reason == REASON_CLIENT_CLOSED ||
                  (connection->state == CONNECTION_HEAD && handshake->head_length == 0 &&
                   reason != REASON_CAPACITY);

    /* The broker knows of its own denials and of what it admitted. */
    if (!silent && (connection->state == CONNECTION_HEAD ||
                    connection->state == CONNECTION_EXCHANGE || reason == REASON_ADMISSION_TIMEOUT))
        report_denied(connection, reason, asked_terminate(handshake, handshake->request.query));
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

/* The head is complete: refuse it here, or ask the broker. */
static void ask_broker(struct connection *connection)
{
    struct ipc_admit admit;
    enum reason reason = asked_read(connection, &admit);

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

    if (reason_allows(asked_read(connection, &admit)))
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

    new_request_id(connection->worker, handshake);
    connection->state = CONNECTION_HEAD;
    connection->deadline_ms =
        worker_now_ms(connection->worker) + (rest > 0 ? HEAD_TIMEOUT_MS : KEEP_ALIVE_TIMEOUT_MS);
    handshake->path[0] = handshake->ticket_subprotocol[0] = '\0';
    handshake_watch(connection, HANDSHAKE_EVENTS);
    if (rest == 0) {
        handshake_free_head(handshake);
        handshake->head_only = handshake->page = false;
        return;
    }
    memmove(handshake->head, handshake->head + taken, rest);
    handshake->head_length = rest;
    handshake->request = (struct http_request){0};
    handshake->head_only = handshake->page = false;
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
