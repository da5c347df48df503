/*
 * Any bytes as an event stream: wherever they are split, the same events come
 * out; each, written and read again, is the same event; and a browser, modelled
 * here after WHATWG HTML section 9.2.6, is told the same by the bytes and by
 * what was written anew. The first byte is how many bytes an event may have, the
 * second where the stream is split.
 */
#include "wire/sse.h"

#include "base/buffer.h"
#include "fuzz.h"

#include <inttypes.h>
#include <string.h>

#define OUT_BYTES_MAX (8 * 1024 * 1024)
#define NO_LIMIT      (4 * 1024 * 1024)

static bool equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static struct span content(const struct buffer *buffer)
{
    return (struct span){buffer->data, buffer->length};
}

/* The event as it is written is one event, the same. */
static void check_event(const struct sse_event *event)
{
    struct sse_parser parser;
    struct sse_event again;
    struct buffer out;
    size_t taken, rest;

    require(event->has_type == (event->type.length > 0));
    require(event->comment || event->has_type || event->has_data || event->has_id ||
            event->has_retry);
    buffer_init(&out, OUT_BYTES_MAX);
    sse_init(&parser, NO_LIMIT);
    sse_write(event, &out);
    require(!buffer_failed(&out));
    require(sse_next(&parser, out.data, out.length, &taken, &again) == SSE_EVENT);
    require(taken <= out.length);
    require(again.comment == event->comment && again.has_type == event->has_type &&
            again.has_data == event->has_data && again.has_id == event->has_id &&
            again.has_retry == event->has_retry && again.retry_ms == event->retry_ms);
    require(equal(again.type, event->type) && equal(again.data, event->data) &&
            equal(again.id, event->id));
    require(sse_next(&parser, out.data + taken, out.length - taken, &rest, &again) == SSE_MORE);
    require(rest == out.length - taken);
    sse_clear(&parser);
    buffer_clear(&out);
}

/* Appends what the stream becomes, read `step` bytes at a time; false if it is refused. */
static bool rewrite(struct span text, size_t max_bytes, size_t step, bool each, struct buffer *out)
{
    enum sse_progress progress = SSE_MORE;
    struct sse_parser parser;
    struct sse_event event;
    size_t at = 0, taken;

    sse_init(&parser, max_bytes);
    while (progress != SSE_FAULT && at < text.length) {
        size_t here = text.length - at < step ? text.length - at : step;

        progress = sse_next(&parser, text.data + at, here, &taken, &event);
        require(taken <= here && (progress != SSE_MORE || taken == here));
        at += taken;
        if (progress == SSE_EVENT) {
            require(event.data.length + event.type.length + event.id.length <= max_bytes);
            sse_write(&event, out);
            if (each)
                check_event(&event);
        }
    }
    if (progress == SSE_FAULT)
        require(sse_next(&parser, "\n\n", 2, &taken, &event) == SSE_FAULT);
    sse_clear(&parser);
    require(!buffer_failed(out));
    return progress != SSE_FAULT;
}

/* ---- The browser ---- */

struct browser {
    struct buffer data, type, last_id;
    uint64_t retry_ms;
    bool any_data;
    struct buffer told; /* what its page is told, one event after another */
};

static void set(struct buffer *buffer, struct span value)
{
    buffer_reset(buffer);
    if (value.length > 0)
        buffer_append(buffer, value.data, value.length);
}

static void browse_field(struct browser *browser, struct span name, struct span value)
{
    bool digits = value.length > 0 && value.length <= SSE_RETRY_DIGITS_MAX;

    if (span_equals(name, "event")) {
        set(&browser->type, value);
    } else if (span_equals(name, "data")) {
        if (value.length > 0)
            buffer_append(&browser->data, value.data, value.length);
        buffer_append_text(&browser->data, "\n");
        browser->any_data = true;
    } else if (span_equals(name, "id")) {
        if (value.length == 0 || memchr(value.data, '\0', value.length) == NULL)
            set(&browser->last_id, value);
    } else if (span_equals(name, "retry")) {
        for (size_t i = 0; i < value.length; i++)
            digits = digits && value.data[i] >= '0' && value.data[i] <= '9';
        if (digits)
            browser->retry_ms = strtoull(value.data, NULL, 10);
    }
}

static void browse_line(struct browser *browser, struct span line)
{
    const char *colon = line.length > 0 ? memchr(line.data, ':', line.length) : NULL;
    struct span name = line, value = {"", 0};

    if (line.length == 0) {
        if (browser->any_data) {
            buffer_append_format(&browser->told, "<%zu,%zu,%zu,%" PRIu64 ">", browser->type.length,
                                 browser->last_id.length, browser->data.length, browser->retry_ms);
            buffer_append(&browser->told, browser->type.data, browser->type.length);
            buffer_append(&browser->told, browser->last_id.data, browser->last_id.length);
            buffer_append(&browser->told, browser->data.data, browser->data.length);
        }
        browser->any_data = false;
        buffer_reset(&browser->data);
        buffer_reset(&browser->type);
        return;
    }
    if (colon != NULL) {
        name.length = (size_t)(colon - line.data);
        value = (struct span){colon + 1, line.length - name.length - 1};
        if (value.length > 0 && value.data[0] == ' ')
            value = (struct span){value.data + 1, value.length - 1};
    }
    browse_field(browser, name, value);
}

static void browse(struct span text, struct buffer *told)
{
    struct browser browser = {0};
    size_t at = text.length >= 3 && memcmp(text.data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    buffer_init(&browser.data, OUT_BYTES_MAX);
    buffer_init(&browser.type, OUT_BYTES_MAX);
    buffer_init(&browser.last_id, OUT_BYTES_MAX);
    buffer_init(&browser.told, OUT_BYTES_MAX);
    for (size_t start = at; at < text.length; at++) {
        char c = text.data[at];

        if (c != '\r' && c != '\n')
            continue;
        browse_line(&browser, (struct span){text.data + start, at - start});
        if (c == '\r' && at + 1 < text.length && text.data[at + 1] == '\n')
            at++;
        start = at + 1;
    }
    /* The connection will be made again with these. */
    buffer_append_format(&browser.told, "<%zu,%" PRIu64 ">", browser.last_id.length,
                         browser.retry_ms);
    require(!buffer_failed(&browser.told) && !buffer_failed(&browser.data));
    *told = browser.told;
    buffer_clear(&browser.data);
    buffer_clear(&browser.type);
    buffer_clear(&browser.last_id);
}

/* Up to where the last block ends: what follows it tells the model more than our reader. */
static struct span whole_blocks(struct span text)
{
    size_t end = 0, start = 0;

    for (size_t at = 0; at < text.length; at++) {
        if (text.data[at] != '\r' && text.data[at] != '\n')
            continue;
        if (text.data[at] == '\r' && at + 1 < text.length && text.data[at + 1] == '\n')
            at++;
        if (text.data[start] == '\r' || text.data[start] == '\n')
            end = at + 1;
        start = at + 1;
    }
    return (struct span){text.data, end};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data + 2, size - 2};
    size_t max_bytes = size < 2 || data[0] == 255 ? NO_LIMIT : data[0];
    struct buffer whole, split, twice, told, told_anew;
    bool good;

    if (size < 2)
        return 0;
    buffer_init(&whole, OUT_BYTES_MAX);
    buffer_init(&split, OUT_BYTES_MAX);
    buffer_init(&twice, OUT_BYTES_MAX);
    good = rewrite(text, max_bytes, SIZE_MAX, true, &whole);
    require(rewrite(text, max_bytes, data[1] + 1u, false, &split) == good);
    require(equal(content(&whole), content(&split)));
    require(rewrite(content(&whole), NO_LIMIT, SIZE_MAX, false, &twice));
    require(equal(content(&whole), content(&twice)));
    if (good) {
        browse(whole_blocks(text), &told);
        browse(content(&whole), &told_anew);
        require(equal(content(&told), content(&told_anew)));
        buffer_clear(&told);
        buffer_clear(&told_anew);
    }
    buffer_clear(&whole);
    buffer_clear(&split);
    buffer_clear(&twice);
    return 0;
}
