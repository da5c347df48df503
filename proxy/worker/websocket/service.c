#include "worker/websocket/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void on_ready(struct endpoint *link, int status, int events);

static void on_closed(struct endpoint *link)
{
    const struct service *service = (struct service *)link;

    service->events->ended(service->owner, DIRECTION_S2C);
}

enum error service_open(struct service *service, int fd, size_t max_message_bytes)
{
    service->link.ready = on_ready;
    service->link.closed = on_closed;
    ws_reader_init(&service->reader, WS_FROM_SERVER, max_message_bytes);
    if (endpoint_open(&service->link, &service->worker->loop, fd) != OK)
        return ERROR_IO;
    endpoint_watch(&service->link, UV_READABLE);
    return OK;
}

void service_close(struct service *service)
{
    if (service_is_open(service))
        endpoint_close(&service->link);
}

void service_forget_message(struct service *service)
{
    service->reader.discard = true;
    service->reader.told = false;
    assembly_clear(&service->reader.message);
}

void service_clear(struct service *service)
{
    ws_reader_clear(&service->reader);
    free(service->stash);
}

/* ---- Sending ---- */

static void hang_up(struct service *service)
{
    service->events->fault(service->owner, REASON_UPSTREAM_GONE);
    service_close(service);
}

/*
 * A frame that fits the worker's own buffer is usually gone with one send; any other is
 * masked where it waits.
 */
static bool send_frame(struct service *service, enum ws_opcode opcode, const unsigned char *payload,
                       size_t length)
{
    struct worker *worker = service->worker;
    struct outgoing *out = &service->link.out;
    bool small = outgoing_empty(out) && length <= READ_BYTES;
    unsigned char mask[4];
    struct iovec frame = {.iov_base = small ? worker->write_buffer
                                            : outgoing_reserve(out, WS_HEADER_MAX + length)};

    if (frame.iov_base == NULL)
        return false;
    worker_random(worker, mask, sizeof(mask));
    frame.iov_len = ws_header_write(frame.iov_base, opcode, length, mask);
    ws_mask((unsigned char *)frame.iov_base + frame.iov_len, payload, length, mask);
    frame.iov_len += length;
    if (small)
        return endpoint_send(&service->link, &frame, 1);
    outgoing_commit(out, frame.iov_len, worker_now_ms(worker));
    return endpoint_flush(&service->link);
}

void service_send(struct service *service, enum ws_opcode opcode, const unsigned char *payload,
                  size_t length)
{
    if (service_is_open(service) && !service->close_sent &&
        !send_frame(service, opcode, payload, length))
        hang_up(service);
}

/* Both have said goodbye, and nothing is left to send. */
static void finish(struct service *service)
{
    bool sent = outgoing_empty(&service->link.out);

    if (!service_is_open(service) || !service->close_sent)
        return;
    if (service->close_received && sent)
        service_close(service);
    else
        endpoint_watch(&service->link, UV_READABLE | (sent ? 0 : UV_WRITABLE));
}

void service_send_close(struct service *service, unsigned code, const char *text,
                        size_t text_length)
{
    unsigned char payload[WS_CONTROL_PAYLOAD_MAX];

    service->reader.discard = true;
    service->held = false;
    service_send(service, WS_CLOSE, payload, ws_close_write(payload, code, text, text_length));
    service->close_sent = true;
    finish(service);
}

/* ---- Receiving ---- */

static void on_close_frame(struct service *service, const struct ws_whole *frame)
{
    unsigned code;

    service->close_received = true;
    if (ws_close_read(frame->data, frame->length, &code))
        service->events->closed(service->owner, DIRECTION_S2C, code, (char *)frame->data + 2,
                                frame->length > 2 ? frame->length - 2 : 0);
    else
        service->events->fault(service->owner, REASON_UPSTREAM_CLOSE);
    finish(service);
}

static void on_whole(struct service *service, const struct ws_whole *whole)
{
    if (whole->opcode == WS_CLOSE)
        on_close_frame(service, whole);
    else if (whole->opcode == WS_PING)
        service->events->beat(service->owner, DIRECTION_S2C, whole->data, whole->length);
    else if (whole->opcode != WS_PONG)
        service->events->message(service->owner, DIRECTION_S2C, whole->data, whole->length,
                                 whole->opcode == WS_BINARY);
}

/* Keeps what was read but may not go on now. */
static void stash(struct service *service, const unsigned char *bytes, size_t length)
{
    service->stash = malloc(length);
    if (service->stash == NULL) {
        service->events->fault(service->owner, REASON_OUT_OF_MEMORY);
        return;
    }
    memcpy(service->stash, bytes, length);
    service->stash_length = length;
}

/* One step: false if nothing more is to be taken. */
static bool receive_some(struct service *service, unsigned char *bytes, size_t length,
                         size_t *taken)
{
    struct ws_whole whole;

    if (service->held) {
        stash(service, bytes, length);
        return false;
    }
    switch (ws_reader_next(&service->reader, bytes, length, taken, &whole)) {
    case WS_FAULT:
        service->events->fault(service->owner, REASON_UPSTREAM_FRAME);
        return false;
    case WS_FAULT_CLOSE:
        service->close_received = true;
        service->events->fault(service->owner, REASON_UPSTREAM_CLOSE);
        return false;
    case WS_FAULT_UTF8:
        service->events->fault(service->owner, REASON_JSON_UTF8);
        return false;
    case WS_TOO_BIG:
        service->events->fault(service->owner, REASON_ANSWER_TOO_BIG);
        return false;
    case WS_MORE:
        return true;
    case WS_WHOLE:
        on_whole(service, &whole);
        return true;
    }
    return false;
}

void service_receive(struct service *service, unsigned char *bytes, size_t length)
{
    size_t taken = 0;
    bool more = true;

    service->upgraded = true;
    for (size_t at = 0; more && at < length && service_is_open(service) && !service->close_received;
         at += taken)
        more = receive_some(service, bytes + at, length - at, &taken);
    ws_reader_let_go(&service->reader);
    if (!service->reader.in_message)
        service->message_since_ms = 0;
    else if (service->message_since_ms == 0)
        service->message_since_ms = worker_now_ms(service->worker);
}

void service_resume(struct service *service)
{
    unsigned char *buffer = service->worker->read_buffer + ASSEMBLY_HEADROOM;
    size_t length = service->stash_length;

    if (length == 0 || service->held)
        return;
    memcpy(buffer, service->stash, length);
    free(service->stash);
    service->stash = NULL;
    service->stash_length = 0;
    service_receive(service, buffer, length);
    service->events->flow(service->owner);
}

static void read_link(struct service *service)
{
    unsigned char *buffer = service->worker->read_buffer + ASSEMBLY_HEADROOM;
    ssize_t received = recv(service->link.fd, buffer, READ_BYTES, 0);

    if (received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return;
    if (received <= 0)
        hang_up(service);
    else if (service->upgraded)
        service_receive(service, buffer, (size_t)received);
    else
        service->events->response(service->owner, buffer, (size_t)received);
}

static void on_ready(struct endpoint *link, int status, int events)
{
    struct service *service = (struct service *)link;

    if (status < 0 || ((events & UV_WRITABLE) != 0 && !endpoint_flush(link))) {
        hang_up(service);
        return;
    }
    if ((events & UV_READABLE) != 0)
        read_link(service);
    if (service->close_sent)
        finish(service);
    else if (service_is_open(service))
        service->events->flow(service->owner);
}
