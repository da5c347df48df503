#include "wire/ws_reader.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

void ws_reader_init(struct ws_reader *reader, enum ws_sender sender, size_t max_message_bytes)
{
    *reader = (struct ws_reader){.sender = sender, .max_message_bytes = max_message_bytes};
}

void ws_reader_clear(struct ws_reader *reader)
{
    assembly_clear(&reader->message);
    free(reader->control);
    reader->control = NULL;
}

static bool is_control(const struct ws_reader *reader)
{
    return reader->frame.opcode >= WS_CLOSE;
}

/*
 * A message is beyond the limit: what was kept of it is its first piece. From here on nothing is,
 * nor looked at.
 */
static enum ws_progress begin_pieces(struct ws_reader *reader, struct ws_whole *whole)
{
    const uint64_t most = WS_PIECES_BYTES_MAX - reader->message.length;

    if (!reader->gives_pieces || reader->kind != WS_TEXT || reader->frame.payload_bytes > most)
        return WS_TOO_BIG;
    *whole = (struct ws_whole){WS_TEXT, NULL, reader->message.length};
    if (whole->length > 0)
        whole->data = reader->message.data + ASSEMBLY_HEADROOM;
    reader->in_pieces = reader->told = true;
    reader->given = whole->length;
    return WS_PIECE;
}

/* A frame begins: may it come now, and does its message still fit? */
static enum ws_progress begin_frame(struct ws_reader *reader, struct ws_whole *whole)
{
    const struct ws_header *frame = &reader->frame;

    reader->header_length = 0;
    reader->in_frame = true;
    reader->left = frame->payload_bytes;
    reader->control_length = 0;
    if (is_control(reader) || reader->discard)
        return WS_MORE;
    if ((frame->opcode == WS_CONTINUATION) != reader->in_message)
        return WS_FAULT;
    if (frame->opcode != WS_CONTINUATION) {
        reader->kind = frame->opcode;
        reader->checked = 0;
    }
    reader->in_message = true;
    if (reader->in_pieces)
        return frame->payload_bytes > WS_PIECES_BYTES_MAX - reader->given ? WS_TOO_BIG : WS_MORE;
    if (frame->payload_bytes > reader->max_message_bytes - reader->message.length)
        return begin_pieces(reader, whole);
    return WS_MORE;
}

/* Reads on in a header. */
static enum ws_progress read_header(struct ws_reader *reader, const unsigned char *bytes,
                                    size_t length, size_t *taken, struct ws_whole *whole)
{
    size_t had = reader->header_length, room = sizeof(reader->header) - had;
    size_t copied = length < room ? length : room;
    int header;

    memcpy(reader->header + had, bytes, copied);
    header = ws_header_parse(reader->header, had + copied, reader->sender, &reader->frame);
    if (header < 0)
        return WS_FAULT;
    if (header == 0) {
        reader->header_length = (unsigned char)(had + copied);
        *taken = copied;
        return WS_MORE;
    }
    *taken = (size_t)header - had;
    return begin_frame(reader, whole);
}

/* A close frame, whole. */
static enum ws_progress check_close(const struct ws_whole *whole)
{
    unsigned code;

    if (!ws_close_read(whole->data, whole->length, &code))
        return WS_FAULT_CLOSE;
    if (whole->length > 2 && !utf8_valid((const char *)whole->data + 2, whole->length - 2))
        return WS_FAULT_UTF8;
    return WS_WHOLE;
}

/* A control frame, or a part of one. */
static enum ws_progress take_control(struct ws_reader *reader, unsigned char *bytes, size_t length,
                                     struct ws_whole *whole)
{
    *whole = (struct ws_whole){reader->frame.opcode, bytes, length};
    if (length < reader->frame.payload_bytes) {
        if (reader->control == NULL)
            reader->control = malloc(WS_CONTROL_PAYLOAD_MAX);
        if (reader->control == NULL)
            return WS_TOO_BIG;
        memcpy(reader->control + reader->control_length, bytes, length);
        reader->control_length = (unsigned char)(reader->control_length + length);
        whole->data = reader->control;
        whole->length = reader->control_length;
    }
    if (reader->left > 0)
        return WS_MORE;
    return whole->opcode == WS_CLOSE ? check_close(whole) : WS_WHOLE;
}

/* What is there of a text, of which the last part ends anywhere but in a character. */
static bool is_text(struct ws_reader *reader, const struct ws_whole *whole, bool last)
{
    bool may_go_on;

    if (reader->kind != WS_TEXT || (reader->leaves_text && last && reader->message.length == 0))
        return true;
    reader->checked += utf8_whole((const char *)whole->data + reader->checked,
                                  whole->length - reader->checked, &may_go_on);
    return last ? reader->checked == whole->length : may_go_on;
}

static enum ws_progress take_piece(struct ws_reader *reader, size_t length, bool ends)
{
    reader->given += length;
    if (ends)
        reader->in_message = reader->in_pieces = false;
    return ends ? WS_PIECE_LAST : WS_PIECE;
}

/* A part of a message, or all of it. */
static enum ws_progress take_data(struct ws_reader *reader, unsigned char *bytes, size_t length,
                                  struct ws_whole *whole)
{
    const struct ws_header *frame = &reader->frame;
    struct assembly *message = &reader->message;
    bool ends = frame->final && reader->left == 0;

    if (reader->discard)
        return WS_MORE;
    *whole = (struct ws_whole){reader->kind, bytes, length};
    if (reader->in_pieces)
        return take_piece(reader, length, ends);
    if (frame->opcode == WS_CONTINUATION || !frame->final || length < frame->payload_bytes) {
        if (assembly_append(message, bytes, length, reader->left, reader->max_message_bytes) != OK)
            return WS_TOO_BIG;
        whole->data = message->data + ASSEMBLY_HEADROOM;
        whole->length = message->length;
        reader->told = ends;
    }
    if (!is_text(reader, whole, ends))
        return WS_FAULT_UTF8;
    if (!ends)
        return WS_MORE;
    reader->in_message = false;
    return WS_WHOLE;
}

/* Takes the mask off a piece of a payload, and turns it to where the next piece begins. */
static void unmask(struct ws_header *frame, unsigned char *bytes, size_t length)
{
    unsigned char turned[sizeof(frame->mask)];

    ws_mask(bytes, bytes, length, frame->mask);
    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = frame->mask[(i + length) % sizeof(turned)];
    memcpy(frame->mask, turned, sizeof(turned));
}

/* As much of the payload as is there; of an empty one that is all. */
static enum ws_progress read_payload(struct ws_reader *reader, unsigned char *bytes, size_t length,
                                     size_t *taken, struct ws_whole *whole)
{
    size_t piece = length < reader->left ? length : (size_t)reader->left;

    if (reader->sender == WS_FROM_CLIENT)
        unmask(&reader->frame, bytes, piece);
    *taken = piece;
    reader->left -= piece;
    reader->in_frame = reader->left > 0;
    return is_control(reader) ? take_control(reader, bytes, piece, whole)
                              : take_data(reader, bytes, piece, whole);
}

void ws_reader_let_go(struct ws_reader *reader)
{
    if (reader->told)
        assembly_clear(&reader->message);
    reader->told = false;
}

struct assembly ws_reader_take(struct ws_reader *reader)
{
    struct assembly taken = {0};

    if (reader->told) {
        taken = reader->message;
        reader->message = (struct assembly){0};
        reader->told = false;
    }
    return taken;
}

size_t ws_reader_room(const struct ws_reader *reader, unsigned char **room)
{
    const struct assembly *message = &reader->message;
    size_t left = message->capacity - message->length;

    if (!reader->in_frame || reader->in_pieces || is_control(reader) || message->data == NULL)
        return 0;
    *room = message->data + ASSEMBLY_HEADROOM + message->length;
    return left < reader->left ? left : (size_t)reader->left;
}

enum ws_progress ws_reader_next(struct ws_reader *reader, unsigned char *bytes, size_t length,
                                size_t *taken, struct ws_whole *whole)
{
    enum ws_progress progress = WS_MORE;

    ws_reader_let_go(reader);
    for (*taken = 0; progress == WS_MORE && *taken < length;) {
        size_t header = 0, payload = 0;

        if (!reader->in_frame)
            progress = read_header(reader, bytes + *taken, length - *taken, &header, whole);
        *taken += header;
        if (progress == WS_MORE && reader->in_frame)
            progress = read_payload(reader, bytes + *taken, length - *taken, &payload, whole);
        *taken += payload;
    }
    return progress;
}

enum ws_mistake ws_reader_mistake(const struct ws_reader *reader)
{
    return reader->in_frame ? WS_OUT_OF_ORDER : ws_header_mistake(reader->header, reader->sender);
}
