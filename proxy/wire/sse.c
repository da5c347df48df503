#include "wire/sse.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>

#define BOM             "\xef\xbb\xbf"
#define BOM_BYTES       3
#define DATA_NAME       "data:"
#define DATA_NAME_BYTES 5

/* How far the ends of a line are looked for at once: bounds the work on many short lines. */
#define SCAN_BYTES 256
/* What a buffer may keep between events, of which streams may wait for long. */
#define KEEP_BYTES 4096

void sse_init(struct sse_parser *parser, size_t max_bytes)
{
    *parser = (struct sse_parser){.max_bytes = max_bytes};
    buffer_init(&parser->line, max_bytes);
    buffer_init(&parser->data, max_bytes);
    buffer_init(&parser->type, max_bytes);
    buffer_init(&parser->id, max_bytes);
}

void sse_clear(struct sse_parser *parser)
{
    buffer_clear(&parser->line);
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
    forget(&parser->data);
    forget(&parser->type);
    forget(&parser->id);
    parser->event = (struct sse_event){0};
    parser->told = false;
}

static struct span content(const struct buffer *buffer)
{
    return (struct span){buffer->data != NULL ? buffer->data : "", buffer->length};
}

static bool add(struct sse_parser *parser, struct buffer *buffer, const char *bytes, size_t length)
{
    size_t held =
        parser->line.length + parser->data.length + parser->type.length + parser->id.length;

    if (length > parser->max_bytes || held > parser->max_bytes - length)
        return false;
    buffer_append(buffer, bytes, length);
    return !buffer_failed(buffer);
}

/* A further data line: joined to those before with LF. */
static bool begin_data(struct sse_parser *parser)
{
    bool joined = parser->event.has_data;

    parser->event.has_data = true;
    if (joined && !add(parser, &parser->data, "\n", 1))
        return false;
    parser->data_line_at = parser->data.length;
    return true;
}

/* The first bytes of a line are there: a byte order mark, or the name of a data line? */
static bool look_at_start(struct sse_parser *parser)
{
    struct buffer *line = &parser->line;
    bool spaced;

    if (!parser->started && line->length == BOM_BYTES) {
        parser->started = true;
        if (memcmp(line->data, BOM, BOM_BYTES) == 0)
            buffer_reset(line);
        return true;
    }
    if (line->length != DATA_NAME_BYTES + 1 || memcmp(line->data, DATA_NAME, DATA_NAME_BYTES) != 0)
        return true;
    parser->in_data = true;
    spaced = line->data[DATA_NAME_BYTES] == ' ';
    return begin_data(parser) &&
           (spaced || add(parser, &parser->data, line->data + DATA_NAME_BYTES, 1));
}

/* Takes bytes of a line, none of which ends it. */
static bool take(struct sse_parser *parser, const char *bytes, size_t length)
{
    while (length > 0 && !parser->in_data && parser->line.length <= DATA_NAME_BYTES) {
        size_t stop = parser->started ? DATA_NAME_BYTES + 1 : BOM_BYTES;
        size_t here = stop - parser->line.length;

        if (here > length)
            here = length;
        if (!add(parser, &parser->line, bytes, here) || !look_at_start(parser))
            return false;
        bytes += here;
        length -= here;
    }
    return length == 0 ||
           add(parser, parser->in_data ? &parser->data : &parser->line, bytes, length);
}

static bool set(struct sse_parser *parser, struct buffer *buffer, struct span value)
{
    buffer_reset(buffer);
    return add(parser, buffer, value.data, value.length);
}

/* "Process the field": what the name does not match is ignored. */
static bool take_field(struct sse_parser *parser, struct span name, struct span value)
{
    struct sse_event *event = &parser->event;
    bool has_nul = value.length > 0 && memchr(value.data, '\0', value.length) != NULL;

    if (span_equals(name, "data"))
        return begin_data(parser) && add(parser, &parser->data, value.data, value.length);
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

static bool take_line(struct sse_parser *parser)
{
    struct span line = content(&parser->line), name = line, value = {"", 0};
    const char *colon = memchr(line.data, ':', line.length);

    if (colon != NULL) {
        name.length = (size_t)(colon - line.data);
        value = (struct span){colon + 1, line.length - name.length - 1};
        if (value.length > 0 && value.data[0] == ' ')
            value = (struct span){value.data + 1, value.length - 1};
    }
    /* The value counts once, not also as part of the line. */
    parser->line.length = 0;
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
    struct span line = content(parser->in_data ? &parser->data : &parser->line);
    size_t at = parser->in_data ? parser->data_line_at : 0;
    bool good = utf8_valid(line.data + at, line.length - at);

    parser->started = true;
    if (parser->in_data) {
        parser->in_data = false;
        buffer_reset(&parser->line);
        return good ? SSE_MORE : SSE_FAULT;
    }
    if (line.length == 0)
        return end_block(parser, event);
    if (good && line.data[0] == ':')
        event->comment = true;
    else
        good = good && take_line(parser);
    forget(&parser->line);
    if (!good)
        return SSE_FAULT;
    return event->comment ? SSE_EVENT : SSE_MORE;
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

enum sse_progress sse_next(struct sse_parser *parser, const char *bytes, size_t length,
                           size_t *taken, struct sse_event *event)
{
    enum sse_progress progress = parser->failed ? SSE_FAULT : SSE_MORE;

    *taken = 0;
    *event = (struct sse_event){0};
    if (parser->told)
        forget_block(parser);
    while (progress == SSE_MORE && *taken < length) {
        size_t run;
        char c;

        if (parser->after_cr && bytes[*taken] == '\n')
            (*taken)++;
        parser->after_cr = false;
        run = scan(bytes + *taken, length - *taken);
        if (!take(parser, bytes + *taken, run)) {
            parser->too_long = true;
            progress = SSE_FAULT;
        }
        *taken += run;
        if (progress != SSE_MORE || *taken == length)
            break;
        c = bytes[*taken];
        if (c != '\r' && c != '\n')
            continue;
        parser->after_cr = c == '\r';
        (*taken)++;
        progress = end_line(parser, event);
    }
    parser->failed = progress == SSE_FAULT;
    return progress;
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
