#include "connect/ws_reader.h"

#include <string.h>

void ws_reader_init(struct ws_reader *reader, size_t max_bytes)
{
    *reader = (struct ws_reader){.in_frame = false};
    buffer_init(&reader->message, max_bytes);
    buffer_init(&reader->control, WS_CONTROL_PAYLOAD_MAX);
}

void ws_reader_clear(struct ws_reader *reader)
{
    buffer_clear(&reader->message);
    buffer_clear(&reader->control);
}

/* Whether this frame may come now, and is of a kind that MCP has. */
static bool frame_fits(const struct ws_reader *reader)
{
    switch (reader->frame.opcode) {
    case WS_CONTINUATION:
        return reader->in_message;
    case WS_TEXT:
        return !reader->in_message;
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        return true;
    default:
        return false;
    }
}

static bool is_control(const struct ws_reader *reader)
{
    return reader->frame.opcode >= WS_CLOSE;
}

/* Reads on in a header; false if the frame is not acceptable. */
static bool read_header(struct ws_reader *reader, const char *bytes, size_t length, size_t *taken)
{
    int need = 0;

    while (*taken < length && reader->header_length < sizeof(reader->header)) {
        reader->header[reader->header_length++] = (unsigned char)bytes[(*taken)++];
        need = ws_header_parse(reader->header, reader->header_length, &reader->frame);
        if (need != 0)
            break;
    }
    if (need == 0)
        return true;
    if (need < 0 || !frame_fits(reader))
        return false;
    reader->header_length = 0;
    reader->in_frame = true;
    reader->left = reader->frame.payload_bytes;
    if (is_control(reader))
        buffer_reset(&reader->control);
    else
        reader->in_message = true;
    return true;
}

/* A whole frame has come. */
static enum ws_progress finish_frame(struct ws_reader *reader, struct span *payload)
{
    struct buffer *buffer = is_control(reader) ? &reader->control : &reader->message;

    reader->in_frame = false;
    if (reader->frame.opcode == WS_PONG || (!is_control(reader) && !reader->frame.final))
        return WS_MORE;
    *payload = (struct span){buffer->data, buffer->length};
    if (is_control(reader))
        return reader->frame.opcode == WS_PING ? WS_PINGED : WS_CLOSED;
    reader->in_message = false;
    reader->told = true;
    return WS_MESSAGE;
}

enum ws_progress ws_reader_next(struct ws_reader *reader, const char *bytes, size_t length,
                                size_t *taken, struct span *payload)
{
    enum ws_progress progress = WS_MORE;

    if (reader->told)
        buffer_reset(&reader->message);
    reader->told = false;
    *taken = 0;
    while (progress == WS_MORE && *taken < length) {
        if (!reader->in_frame && !read_header(reader, bytes, length, taken))
            return WS_FAULT;
        if (!reader->in_frame)
            continue;
        if (reader->left > 0 && *taken < length) {
            struct buffer *buffer = is_control(reader) ? &reader->control : &reader->message;
            size_t part = length - *taken;

            if (part > reader->left)
                part = (size_t)reader->left;
            buffer_append(buffer, bytes + *taken, part);
            if (buffer_failed(buffer))
                return WS_FAULT;
            reader->left -= part;
            *taken += part;
        }
        if (reader->left == 0)
            progress = finish_frame(reader, payload);
    }
    return progress;
}
