#include "example/ws_peer.h"

#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES      16384
#define MASK_BYTES      4
#define INPUT_BYTES_MAX (WS_PEER_MESSAGE_BYTES_MAX + READ_BYTES + WS_CLIENT_HEADER_MAX)

void ws_peer_init(struct ws_peer *peer, int fd, bool is_server)
{
    *peer = (struct ws_peer){.fd = fd, .is_server = is_server};
    buffer_init(&peer->input, INPUT_BYTES_MAX);
    buffer_init(&peer->message, WS_PEER_MESSAGE_BYTES_MAX);
}

void ws_peer_clear(struct ws_peer *peer)
{
    buffer_clear(&peer->input);
    buffer_clear(&peer->message);
}

enum error ws_peer_read(int fd, struct buffer *buffer)
{
    char *room = buffer_reserve(buffer, READ_BYTES);
    ssize_t got;

    if (room == NULL)
        return ERROR_LIMIT;
    do
        got = recv(fd, room, READ_BYTES, 0);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        errno = ECONNRESET;
    if (got <= 0)
        return ERROR_IO;
    buffer_commit(buffer, (size_t)got);
    return OK;
}

enum error ws_peer_write(int fd, const void *bytes, size_t length)
{
    const char *next = bytes;

    while (length > 0) {
        ssize_t sent = send(fd, next, length, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return ERROR_IO;
        if (sent > 0) {
            next += sent;
            length -= (size_t)sent;
        }
    }
    return OK;
}

void ws_peer_consume(struct buffer *buffer, size_t length)
{
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
}

static enum error send_frame(struct ws_peer *peer, enum ws_opcode opcode, struct span payload)
{
    unsigned char header[WS_CLIENT_HEADER_MAX], mask[MASK_BYTES] = {0};
    struct buffer frame;
    size_t header_bytes;
    unsigned char *room;
    enum error error = peer->is_server ? OK : secret_random(mask, sizeof(mask));

    if (error != OK)
        return error;
    header_bytes = ws_header_write(header, opcode, payload.length, mask);
    if (peer->is_server) {
        header[1] &= 0x7f;
        header_bytes -= MASK_BYTES;
    }
    buffer_init(&frame, header_bytes + payload.length);
    buffer_append(&frame, header, header_bytes);
    room = buffer_reserve(&frame, payload.length);
    if (room == NULL)
        return ERROR_MEMORY;
    if (payload.length > 0)
        ws_mask(room, (const unsigned char *)payload.data, payload.length, mask);
    buffer_commit(&frame, payload.length);
    error = ws_peer_write(peer->fd, frame.data, frame.length);
    buffer_clear(&frame);
    return error;
}

enum error ws_peer_send(struct ws_peer *peer, struct span text)
{
    return send_frame(peer, WS_TEXT, text);
}

enum error ws_peer_close(struct ws_peer *peer, unsigned code)
{
    char payload[2] = {(char)(code >> 8), (char)(code & 0xff)};

    if (peer->close_sent)
        return OK;
    peer->close_sent = true;
    return send_frame(peer, WS_CLOSE,
                      (struct span){payload, code == WS_PEER_NO_CODE ? 0 : sizeof(payload)});
}

/* As ws_header_parse for either role; the mask of a client's frame follows its header. */
static int parse_header(const struct ws_peer *peer, struct ws_header *header,
                        unsigned char mask[MASK_BYTES])
{
    unsigned char head[WS_CLIENT_HEADER_MAX] = {0};
    size_t have = peer->input.length < sizeof(head) ? peer->input.length : sizeof(head);
    int length;

    memset(mask, 0, MASK_BYTES);
    if (have > 0)
        memcpy(head, peer->input.data, have);
    if (!peer->is_server)
        return ws_header_parse(head, have, header);
    if (have >= 2 && (head[1] & 0x80) == 0)
        return -1;
    head[1] &= 0x7f;
    length = ws_header_parse(head, have, header);
    if (length <= 0)
        return length;
    if (have < (size_t)length + MASK_BYTES)
        return 0;
    memcpy(mask, head + length, MASK_BYTES);
    return length + MASK_BYTES;
}

static enum ws_peer_event take_close(struct ws_peer *peer, struct span payload)
{
    const unsigned char *code = (const unsigned char *)payload.data;

    peer->close_code = WS_PEER_NO_CODE;
    if (payload.length == 1)
        return WS_PEER_FAULT;
    if (payload.length >= 2) {
        peer->close_code = (unsigned)code[0] << 8 | code[1];
        if (!ws_close_code_valid(peer->close_code))
            return WS_PEER_FAULT;
        snprintf(peer->close_reason, sizeof(peer->close_reason), "%.*s", (int)payload.length - 2,
                 payload.data + 2);
    }
    return ws_peer_close(peer, peer->close_code) == OK ? WS_PEER_CLOSED : WS_PEER_FAULT;
}

static enum ws_peer_event take_data(struct ws_peer *peer, const struct ws_header *header,
                                    struct span payload)
{
    if (header->opcode == WS_BINARY || (header->opcode == WS_CONTINUATION) != peer->in_message)
        return WS_PEER_FAULT;
    buffer_append(&peer->message, payload.data, payload.length);
    if (buffer_failed(&peer->message))
        return WS_PEER_FAULT;
    peer->in_message = !header->final;
    peer->message_taken = header->final;
    return header->final ? WS_PEER_MESSAGE : WS_PEER_MORE;
}

static enum ws_peer_event take_frame(struct ws_peer *peer, const struct ws_header *header,
                                     struct span payload)
{
    switch (header->opcode) {
    case WS_CLOSE:
        return take_close(peer, payload);
    case WS_PING:
        return peer->close_sent || send_frame(peer, WS_PONG, payload) == OK ? WS_PEER_MORE
                                                                            : WS_PEER_FAULT;
    case WS_PONG:
        return WS_PEER_MORE;
    default:
        return take_data(peer, header, payload);
    }
}

enum ws_peer_event ws_peer_next(struct ws_peer *peer)
{
    enum ws_peer_event event = WS_PEER_MORE;

    if (peer->message_taken) {
        buffer_reset(&peer->message);
        peer->message_taken = false;
    }
    while (event == WS_PEER_MORE) {
        unsigned char mask[MASK_BYTES];
        struct ws_header header;
        int header_bytes = parse_header(peer, &header, mask);
        unsigned char *payload;

        if (header_bytes == 0)
            return WS_PEER_MORE;
        if (header_bytes < 0 || header.payload_bytes > WS_PEER_MESSAGE_BYTES_MAX)
            return WS_PEER_FAULT;
        if (peer->input.length - (size_t)header_bytes < header.payload_bytes)
            return WS_PEER_MORE;
        payload = (unsigned char *)peer->input.data + header_bytes;
        ws_mask(payload, payload, header.payload_bytes, mask);
        event =
            take_frame(peer, &header, (struct span){(const char *)payload, header.payload_bytes});
        ws_peer_consume(&peer->input, (size_t)header_bytes + header.payload_bytes);
    }
    return event;
}
