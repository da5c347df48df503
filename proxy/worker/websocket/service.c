/*
 * The service's side: our own WebSocket client on the descriptor that the
 * broker connected and already wrote the handshake to.
 */
#include "base/secret.h"
#include "worker/client/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events);

enum error link_start(struct connection *connection, int fd)
{
    struct link *link = &connection->link;

    if (uv_poll_init(&connection->worker->loop, &link->poll, fd) != 0) {
        close(fd);
        return ERROR_IO;
    }
    link->fd = fd;
    ws_reader_init(&link->reader, WS_FROM_SERVER, connection->surface->limits.max_message_bytes);
    link->poll_active = true;
    link->poll.data = connection;
    link_watch(connection, UV_READABLE);
    return OK;
}

void link_watch(struct connection *connection, int events)
{
    struct link *link = &connection->link;

    if (link->fd < 0 || link->events == events)
        return;
    link->events = events;
    if (events != 0)
        uv_poll_start(&link->poll, events, on_poll);
    else
        uv_poll_stop(&link->poll);
}

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;

    connection->link.poll_active = false;
    connection_release(connection);
}

void link_close(struct connection *connection)
{
    struct link *link = &connection->link;
    int fd = link->fd;

    if (fd < 0)
        return;
    link->fd = -1;
    link->out_length = 0;
    link->stash_length = 0;
    uv_close((uv_handle_t *)&link->poll, on_closed);
    close(fd);
}

/* Sends what the socket takes; the number of bytes, or -1 if the link is dead. */
static ssize_t send_some(int fd, const unsigned char *bytes, size_t length)
{
    ssize_t sent;

    do
        sent = send(fd, bytes, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    return sent;
}

static bool reserve_out(struct link *link, size_t more)
{
    size_t wanted;
    unsigned char *out;

    if (link->out_offset > 0) {
        memmove(link->out, link->out + link->out_offset, link->out_length);
        link->out_offset = 0;
    }
    wanted = link->out_length + more;
    if (wanted <= link->out_capacity)
        return true;
    out = realloc(link->out, wanted);
    if (out == NULL)
        return false;
    link->out = out;
    link->out_capacity = wanted;
    return true;
}

static void flush_out(struct connection *connection)
{
    struct link *link = &connection->link;
    ssize_t sent = send_some(link->fd, link->out + link->out_offset, link->out_length);

    if (sent < 0) {
        link->out_length = 0;
        connection_drop(connection, REASON_UPSTREAM_GONE);
        link_close(connection);
        return;
    }
    if (sent > 0)
        link->progress_ms = worker_now_ms(connection->worker);
    link->out_offset += (size_t)sent;
    link->out_length -= (size_t)sent;
    if (link->out_length == 0) {
        free(link->out);
        link->out = NULL;
        link->out_offset = link->out_capacity = 0;
    }
}

/* A frame that fits the worker's own buffer: usually gone with one send. */
static void send_small(struct connection *connection, enum ws_opcode opcode,
                       const unsigned char *payload, size_t length)
{
    struct link *link = &connection->link;
    unsigned char *frame = connection->worker->write_buffer, mask[4];
    size_t header, total;
    ssize_t sent;

    worker_random(connection->worker, mask, sizeof(mask));
    header = ws_header_write(frame, opcode, length, mask);
    ws_mask(frame + header, payload, length, mask);
    total = header + length;
    sent = send_some(link->fd, frame, total);
    if (sent == (ssize_t)total)
        return;
    if (sent < 0 || !reserve_out(link, total - (size_t)sent)) {
        connection_drop(connection, REASON_UPSTREAM_GONE);
        link_close(connection);
        return;
    }
    memcpy(link->out + link->out_length, frame + sent, total - (size_t)sent);
    link->out_length += total - (size_t)sent;
    link->progress_ms = worker_now_ms(connection->worker);
}

void link_send(struct connection *connection, enum ws_opcode opcode, const unsigned char *payload,
               size_t length)
{
    struct link *link = &connection->link;
    unsigned char mask[4], *frame;
    size_t header;

    if (link->fd < 0 || link->close_sent)
        return;
    if (link->out_length == 0 && length <= READ_BYTES) {
        send_small(connection, opcode, payload, length);
        return;
    }
    if (!reserve_out(link, WS_HEADER_MAX + length)) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    if (link->out_length == 0)
        link->progress_ms = worker_now_ms(connection->worker);
    frame = link->out + link->out_length;
    worker_random(connection->worker, mask, sizeof(mask));
    header = ws_header_write(frame, opcode, length, mask);
    ws_mask(frame + header, payload, length, mask);
    link->out_length += header + length;
    flush_out(connection);
}

void link_send_close(struct connection *connection, unsigned code, const char *text,
                     size_t text_length)
{
    struct link *link = &connection->link;
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX];

    if (link->fd < 0 || link->close_sent)
        return;
    link_send(connection, WS_CLOSE, payload, ws_close_write(payload, code, text, text_length));
    link->close_sent = true;
    /* Both have said it, or there is nobody to wait for. */
    if (link->close_received && link->out_length == 0)
        link_close(connection);
    else if (link->fd >= 0)
        link_watch(connection, link->out_length > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void on_close_frame(struct connection *connection, const struct ws_whole *frame)
{
    struct link *link = &connection->link;
    unsigned code;

    link->close_received = true;
    if (!ws_close_read(frame->data, frame->length, &code)) {
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
        return;
    }
    if (connection->state == CONNECTION_OPEN)
        connection_drop_as(connection, REASON_UPSTREAM_CLOSED, code, (char *)frame->data + 2,
                           frame->length > 2 ? frame->length - 2 : 0);
    if (link->fd >= 0 && link->close_sent && link->out_length == 0)
        link_close(connection);
}

/* Carried to the client, whose pong is carried back. */
static void on_ping(struct connection *connection, const struct ws_whole *frame)
{
    unsigned char ping[PRE_BYTES + WS_CONTROL_PAYLOAD_MAX];

    memcpy(ping + PRE_BYTES, frame->data, frame->length);
    connection->service_pings++;
    if (downstream_send(connection, WS_PING, ping + PRE_BYTES, frame->length) != OK)
        connection_drop(connection, REASON_CLIENT_CLOSED);
}

/* Once the connection closes, only the service's close frame counts. */
static void on_whole(struct connection *connection, const struct ws_whole *whole)
{
    if (whole->opcode == WS_CLOSE)
        on_close_frame(connection, whole);
    else if (connection->state != CONNECTION_OPEN)
        return;
    else if (whole->opcode == WS_PING)
        on_ping(connection, whole);
    else if (whole->opcode != WS_PONG)
        relay_message(connection, DIRECTION_S2C, whole->data, whole->length,
                      whole->opcode == WS_BINARY);
}

/* Keeps what was read but may not go on now. */
static void stash(struct connection *connection, const unsigned char *bytes, size_t length)
{
    struct link *link = &connection->link;

    if (length == 0)
        return;
    link->stash = malloc(length);
    if (link->stash == NULL) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    memcpy(link->stash, bytes, length);
    link->stash_length = length;
}

void link_receive(struct connection *connection, unsigned char *bytes, size_t length)
{
    struct link *link = &connection->link;
    struct ws_whole whole;
    size_t taken;

    for (size_t at = 0; link->fd >= 0 && !link->close_received && at < length; at += taken) {
        if (connection->client_blocked && connection->state == CONNECTION_OPEN) {
            stash(connection, bytes + at, length - at);
            return;
        }
        link->reader.discard = connection->state != CONNECTION_OPEN;
        switch (ws_reader_next(&link->reader, bytes + at, length - at, &taken, &whole)) {
        case WS_FAULT:
            connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
            return;
        case WS_TOO_BIG:
            connection_drop(connection, REASON_MESSAGE_TOO_BIG);
            return;
        case WS_MORE:
            break;
        case WS_WHOLE:
            on_whole(connection, &whole);
            break;
        }
    }
    if (!link->reader.in_message)
        link->message_since_ms = 0;
    else if (link->message_since_ms == 0)
        link->message_since_ms = worker_now_ms(connection->worker);
}

void link_resume(struct connection *connection)
{
    struct link *link = &connection->link;
    unsigned char *buffer = connection->worker->read_buffer + PRE_BYTES;
    size_t length = link->stash_length;

    if (length == 0)
        return;
    memcpy(buffer, link->stash, length);
    free(link->stash);
    link->stash = NULL;
    link->stash_length = 0;
    link_receive(connection, buffer, length);
    relay_flow(connection);
}

/* The service hung up without a close frame. */
static void on_gone(struct connection *connection)
{
    bool linking = connection->state == CONNECTION_LINKING;

    connection_drop(connection, linking ? REASON_UPSTREAM_REFUSED : REASON_UPSTREAM_GONE);
    link_close(connection);
}

static void read_link(struct connection *connection)
{
    unsigned char *buffer = connection->worker->read_buffer + PRE_BYTES;
    ssize_t received = recv(connection->link.fd, buffer, READ_BYTES, 0);

    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received <= 0)
        on_gone(connection);
    else if (connection->state == CONNECTION_LINKING)
        upgrade_response(connection, buffer, (size_t)received);
    else
        link_receive(connection, buffer, (size_t)received);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct connection *connection = poll->data;
    struct link *link = &connection->link;

    if (status < 0) {
        on_gone(connection);
        return;
    }
    if ((events & UV_WRITABLE) != 0 && link->out_length > 0)
        flush_out(connection);
    if ((events & UV_READABLE) != 0 && link->fd >= 0)
        read_link(connection);
    if (link->fd >= 0 && connection->state == CONNECTION_OPEN)
        relay_flow(connection);
    else if (link->fd >= 0 && link->close_sent)
        link_watch(connection, link->out_length > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}
