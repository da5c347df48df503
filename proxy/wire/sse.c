#include "wire/sse.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define BOM       "\xef\xbb\xbf"
#define BOM_BYTES 3
#define DATA_NAME "data:"

/* How far the ends of a line are looked for at once: bounds the work on many short lines. */
#define SCAN_BYTES 256
/* What a buffer may keep between events, of which streams may wait for long. */
#define KEEP_BYTES 4096

void sse_init(struct sse_parser *parser, size_t max_bytes)
{
    *parser = (struct sse_parser){.max_bytes = max_bytes};
    buffer_init(&parser->data, max_bytes);
    buffer_init(&parser->type, max_bytes);
    buffer_init(&parser->id, max_bytes);
}

void sse_clear(struct sse_parser *parser)
{
    buffer_clear(&parser->data);
    buffer_clear(&parser->type);
    buffer_clear(&parser->id);
}

static void forget(struct buffer *buffer)
{
    if (buffer->capacity > KEEP_BYTES)
        buffer_clear(buffer);
    else
        buffer_reset(buffer);
}

static void forget_block(struct sse_parser *parser)
{
    parser->in_pieces = false;
    forget(&parser->data);
    forget(&parser->type);
    forget(&parser->id);
    parser->line_at = parser->touched = 0;
    parser->event = (struct sse_event){0};
    parser->told = false;
}

static struct span content(const struct buffer *buffer)
{
    return (struct span){buffer->data != NULL ? buffer->data : "", buffer->length};
}

static bool add(struct sse_parser *parser, struct buffer *buffer, const char *bytes, size_t length)
{
    size_t held = parser->data.length + parser->type.length + parser->id.length;

    if (length > parser->max_bytes || held > parser->max_bytes - length)
        return false;
    buffer_append(buffer, bytes, length);
    if (parser->data.length > parser->touched)
        parser->touched = parser->data.length;
    return !buffer_failed(buffer);
}

static bool set(struct sse_parser *parser, struct buffer *buffer, struct span value)
{
    buffer_reset(buffer);
    return add(parser, buffer, value.data, value.length);
}

/* A further data line is joined to those before with LF: it moves to where the line began. */
static void take_data(struct sse_parser *parser, struct span value)
{
    char *data = parser->data.data;

    if (parser->event.has_data)
        data[parser->line_at++] = '\n';
    parser->event.has_data = true;
    if (value.length > 0)
        memmove(data + parser->line_at, value.data, value.length);
    parser->line_at += value.length;
    parser->data.length = parser->line_at;
}

/* "Process the field": what the name does not match is ignored. */
static bool take_field(struct sse_parser *parser, struct span name, struct span value)
{
    struct sse_event *event = &parser->event;
    bool has_nul = value.length > 0 && memchr(value.data, '\0', value.length) != NULL;

    if (span_equals(name, "data"))
        take_data(parser, value);
    if (span_equals(name, "event")) {
        event->has_type = value.length > 0;
        return !has_nul && set(parser, &parser->type, value);
    }
    if (span_equals(name, "id") && !has_nul) {
        event->has_id = true;
        return set(parser, &parser->id, value);
    }
    if (span_equals(name, "retry") && text_number(value, SSE_RETRY_DIGITS_MAX, &event->retry_ms))
        event->has_retry = true;
    return true;
}

static bool take_line(struct sse_parser *parser, struct span line)
{
    struct span value = line, name = span_split(&value, ':');

    if (value.length > 0 && value.data[0] == ' ')
        value = (struct span){value.data + 1, value.length - 1};
    /* The value counts once, not also as part of the line. */
    parser->data.length = parser->line_at;
    return take_field(parser, name, value);
}

static void tell(struct sse_parser *parser, struct sse_event *event)
{
    *event = parser->event;
    if (event->has_type)
        event->type = content(&parser->type);
    if (event->has_data)
        event->data = content(&parser->data);
    if (event->has_id)
        event->id = content(&parser->id);
    parser->told = true;
}

/* At an empty line. */
static enum sse_progress end_block(struct sse_parser *parser, struct sse_event *event)
{
    const struct sse_event *block = &parser->event;

    if (!block->has_data && !block->has_type && !block->has_id && !block->has_retry) {
        forget_block(parser);
        return SSE_MORE;
    }
    tell(parser, event);
    return SSE_EVENT;
}

/* At the end of a line: SSE_MORE if there is nothing to tell yet. */
static enum sse_progress end_line(struct sse_parser *parser, struct sse_event *event)
{
    struct span line = content(&parser->data);

    line = (struct span){line.data + parser->line_at, line.length - parser->line_at};
    if (!parser->started && line.length >= BOM_BYTES && memcmp(line.data, BOM, BOM_BYTES) == 0)
        line = (struct span){line.data + BOM_BYTES, line.length - BOM_BYTES};
    parser->started = true;
    if (line.length == 0)
        return end_block(parser, event);
    event->comment = line.data[0] == ':';
    if (!utf8_valid(line.data, line.length) || (!event->comment && !take_line(parser, line)))
        return SSE_FAULT;
    parser->data.length = parser->line_at;
    if (parser->line_at == 0) {
        forget(&parser->data);
        parser->touched = 0;
    }
    return event->comment ? SSE_EVENT : SSE_MORE;
}

/* ---- Events that are too long ---- */

/* What has come of a line that begins: "data:" makes it one of those. */
static void begin_line(struct sse_parser *parser, const char *bytes, size_t length)
{
    const size_t room = sizeof(parser->line_start) - parser->line_length;

    memcpy(parser->line_start + parser->line_length, bytes, length < room ? length : room);
    parser->line_length = (unsigned char)(parser->line_length + (length < room ? length : room));
    if (parser->line_length < sizeof(parser->line_start))
        return;
    parser->line = memcmp(parser->line_start, DATA_NAME, sizeof(parser->line_start)) == 0
                       ? SSE_LINE_DATA
                       : SSE_LINE_OTHER;
}

/* What is there of the event's data is its first piece. */
static enum sse_progress begin_pieces(struct sse_parser *parser, struct sse_event *event)
{
    struct span line = content(&parser->data);

    line = (struct span){line.data + parser->line_at, line.length - parser->line_at};
    parser->in_pieces = parser->piece_told = true;
    parser->line = SSE_LINE_BEGINS;
    parser->line_length = 0;
    parser->given = parser->data.length;
    begin_line(parser, line.data, line.length);
    parser->data.length = parser->line_at;
    if (parser->line == SSE_LINE_DATA)
        take_data(parser, (struct span){line.data + sizeof(parser->line_start),
                                        line.length - sizeof(parser->line_start)});
    event->data = content(&parser->data);
    return SSE_PIECE;
}

/* Bytes of a line, or its end if there are none. */
static enum sse_progress take_piece(struct sse_parser *parser, struct span run, size_t *taken,
                                    struct sse_event *event)
{
    parser->given += run.length;
    if (parser->given > SSE_PIECES_BYTES_MAX) {
        parser->too_long = true;
        return SSE_FAULT;
    }
    *taken += run.length;
    if (parser->line == SSE_LINE_BEGINS) {
        const size_t had = parser->line_length;

        begin_line(parser, run.data, run.length);
        run.data += parser->line_length - had;
        run.length -= parser->line_length - had;
    }
    if (parser->line != SSE_LINE_DATA || run.length == 0)
        return SSE_MORE;
    event->data = run;
    return SSE_PIECE;
}

/* An empty line ends the event. */
static enum sse_progress end_piece(struct sse_parser *parser, struct sse_event *event)
{
    const bool is_empty = parser->line == SSE_LINE_BEGINS && parser->line_length == 0;

    parser->line = SSE_LINE_BEGINS;
    parser->line_length = 0;
    if (!is_empty)
        return SSE_MORE;
    parser->event.has_data = false;
    tell(parser, event);
    return SSE_PIECE_LAST;
}

/* Bytes that surely lie before the end of a line. */
static enum sse_progress take_run(struct sse_parser *parser, struct span run, size_t *taken,
                                  struct sse_event *event)
{
    if (parser->in_pieces)
        return take_piece(parser, run, taken, event);
    if (add(parser, &parser->data, run.data, run.length)) {
        *taken += run.length;
        return SSE_MORE;
    }
    if (parser->gives_pieces && !buffer_failed(&parser->data))
        return begin_pieces(parser, event);
    parser->too_long = true;
    return SSE_FAULT;
}

/* How many bytes surely lie before the end of the line; a look at few of them only. */
static size_t scan(const char *bytes, size_t length)
{
    size_t window = length < SCAN_BYTES ? length : SCAN_BYTES;
    const char *end = memchr(bytes, '\n', window);

    if (end != NULL)
        window = (size_t)(end - bytes);
    end = memchr(bytes, '\r', window);
    return end != NULL ? (size_t)(end - bytes) : window;
}

void sse_let_go(struct sse_parser *parser)
{
    if (parser->piece_told)
        buffer_clear(&parser->data);
    parser->piece_told = false;
    if (parser->told)
        forget_block(parser);
}

enum sse_progress sse_next(struct sse_parser *parser, const char *bytes, size_t length,
                           size_t *taken, struct sse_event *event)
{
    enum sse_progress progress = parser->failed ? SSE_FAULT : SSE_MORE;

    *taken = 0;
    *event = (struct sse_event){0};
    sse_let_go(parser);
    while (progress == SSE_MORE && *taken < length) {
        size_t run;
        char c;

        if (parser->after_cr && bytes[*taken] == '\n')
            (*taken)++;
        parser->after_cr = false;
        run = scan(bytes + *taken, length - *taken);
        progress = take_run(parser, (struct span){bytes + *taken, run}, taken, event);
        if (progress != SSE_MORE || *taken == length)
            break;
        c = bytes[*taken];
        if (c != '\r' && c != '\n')
            continue;
        parser->after_cr = c == '\r';
        (*taken)++;
        progress = parser->in_pieces ? end_piece(parser, event) : end_line(parser, event);
    }
    parser->failed = progress == SSE_FAULT;
    return progress;
}

struct span sse_so_far(const struct sse_parser *parser)
{
    const struct span all = content(&parser->data);
    struct span value = {all.data + parser->line_at, all.length - parser->line_at};

    if (parser->told || parser->in_pieces)
        return (struct span){NULL, 0};
    if (parser->event.has_data)
        return (struct span){all.data, parser->line_at};
    if (value.length <= sizeof(DATA_NAME) ||
        memcmp(value.data, DATA_NAME, sizeof(DATA_NAME) - 1) != 0)
        return (struct span){NULL, 0};
    (void)span_split(&value, ':');
    return value.data[0] == ' ' ? (struct span){value.data + 1, value.length - 1} : value;
}

static void write_field(struct buffer *out, const char *name, struct span value)
{
    buffer_append_text(out, name);
    if (value.length > 0) {
        buffer_append(out, " ", 1);
        buffer_append(out, value.data, value.length);
    }
    buffer_append(out, "\n", 1);
}

static void write_data(struct span data, struct buffer *out)
{
    size_t at = 0;

    if (data.length == 0) {
        write_field(out, DATA_NAME, data);
        return;
    }
    for (;;) {
        size_t start = at, run;

        do {
            run = scan(data.data + at, data.length - at);
            at += run;
        } while (at < data.length && data.data[at] != '\r' && data.data[at] != '\n');
        write_field(out, DATA_NAME, (struct span){data.data + start, at - start});
        if (at == data.length)
            return;
        at += data.data[at] == '\r' && at + 1 < data.length && data.data[at + 1] == '\n' ? 2 : 1;
    }
}

static bool fits_a_line(struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        if (value.data[i] == '\r' || value.data[i] == '\n' || value.data[i] == '\0')
            return false;
    }
    return true;
}

void sse_write(const struct sse_event *event, struct buffer *out)
{
    if (event->comment) {
        buffer_append_text(out, ":\n\n");
        return;
    }
    if (!fits_a_line(event->type) || !fits_a_line(event->id)) {
        out->failed = true;
        return;
    }
    if (event->has_type && event->type.length > 0)
        write_field(out, "event:", event->type);
    if (event->has_id)
        write_field(out, "id:", event->id);
    if (event->has_retry)
        buffer_append_format(out, "retry: %" PRIu64 "\n", event->retry_ms);
    if (event->has_data)
        write_data(event->data, out);
    if (event->has_type || event->has_id || event->has_retry || event->has_data)
        buffer_append(out, "\n", 1);
}
