/* sse.c: the same events wherever the stream is split, and only the canonical form goes on. */
#include "wire/sse.h"

#include "unit.h"
#include "vector_lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS_MIN 85
#define VECTOR_MAX  100 /* bytes of an event, in the vectors */

/* Feeds a copy of just this piece, so that a sanitizer sees a read behind it. */
static bool feed(struct sse_parser *parser, const char *bytes, size_t length, struct buffer *out)
{
    char *copy = malloc(length > 0 ? length : 1);
    enum sse_progress progress = SSE_MORE;
    size_t at = 0;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    while (at < length) {
        struct sse_event event;
        size_t taken;

        progress = sse_next(parser, copy + at, length - at, &taken, &event);
        assert_true(taken <= length - at);
        at += taken;
        if (progress == SSE_FAULT)
            break;
        if (progress == SSE_MORE)
            assert_int_equal(at, length);
        else
            sse_write(&event, out);
    }
    free(copy);
    return progress != SSE_FAULT;
}

static void expect_stream(const struct vector_line *vector, size_t split, size_t step)
{
    struct sse_parser parser;
    struct buffer out;
    bool good;
    size_t at = split;

    sse_init(&parser, VECTOR_MAX);
    buffer_init(&out, 65536);
    good = feed(&parser, vector->text, split, &out);
    while (good && at < vector->length) {
        size_t here = step < vector->length - at ? step : vector->length - at;

        good = feed(&parser, vector->text + at, here, &out);
        at += here;
    }
    if (!good) {
        assert_false(feed(&parser, "\n\ndata: z\n\n", 11, &out)); /* once refused, always */
        buffer_append_text(&out, "!");
    }
    assert_false(buffer_failed(&out));
    for (size_t i = 0; i < out.length; i++)
        out.data[i] = (char)(out.data[i] == '\n' ? '|' : out.data[i] == '\t' ? '~' : out.data[i]);
    if (strcmp(out.length > 0 ? out.data : "", vector->fields[1]) != 0)
        fail_msg("%s (line %zu), split at %zu by %zu: %s", vector->fields[0], vector->number, split,
                 step, out.length > 0 ? out.data : "");
    buffer_clear(&out);
    sse_clear(&parser);
}

TEST(test_streams)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/sse/streams.txt");
    while (vector_next(&vector, 3)) {
        for (size_t at = 0; at <= vector.length; at++)
            expect_stream(&vector, at, SIZE_MAX);
        expect_stream(&vector, 0, 1);
        expect_stream(&vector, 0, 2);
        count++;
    }
    vector_close(&vector);
    assert_true(count >= STREAMS_MIN);
}

TEST(test_flags)
{
    static const char text[] = "id: 7\ndata\n\n:x\nretry: 9\n\nevent: e\ndata: a\r\ndata: b\n\n";
    struct sse_parser parser;
    struct sse_event event;
    size_t at = 0, taken;

    sse_init(&parser, 1000);
    assert_int_equal(sse_next(&parser, text, strlen(text), &taken, &event), SSE_EVENT);
    at += taken;
    assert_true(event.has_id && event.has_data && !event.has_type && !event.has_retry);
    assert_true(span_equals(event.id, "7") && span_equals(event.data, ""));
    assert_null(event.type.data);
    assert_int_equal(sse_next(&parser, text + at, strlen(text) - at, &taken, &event), SSE_EVENT);
    at += taken;
    assert_true(event.comment && !event.has_id && !event.has_data);
    assert_int_equal(sse_next(&parser, text + at, strlen(text) - at, &taken, &event), SSE_EVENT);
    at += taken;
    assert_true(event.has_retry && !event.has_data && !event.has_id && !event.comment);
    assert_int_equal(event.retry_ms, 9);
    assert_int_equal(sse_next(&parser, text + at, strlen(text) - at, &taken, &event), SSE_EVENT);
    at += taken;
    assert_int_equal(at, strlen(text));
    assert_true(event.has_type && event.has_data && !event.has_retry);
    assert_true(span_equals(event.type, "e") && span_equals(event.data, "a\nb"));
    assert_int_equal(sse_next(&parser, NULL, 0, &taken, &event), SSE_MORE);
    assert_int_equal(taken, 0);
    sse_clear(&parser);
}

/* An event is told at the CR that ends it: nobody waits for a LF that may never come. */
TEST(test_told_at_once)
{
    struct sse_parser parser;
    struct sse_event event;
    size_t taken;

    sse_init(&parser, 1000);
    assert_int_equal(sse_next(&parser, "data: a\r\r", 9, &taken, &event), SSE_EVENT);
    assert_int_equal(sse_next(&parser, "\n:\r", 3, &taken, &event), SSE_EVENT);
    assert_true(event.comment);
    assert_int_equal(sse_next(&parser, "\n", 1, &taken, &event), SSE_MORE);
    sse_clear(&parser);
}

static void expect_written(struct sse_event event, const char *text)
{
    struct buffer out;

    buffer_init(&out, 1000);
    sse_write(&event, &out);
    assert_false(buffer_failed(&out));
    assert_string_equal(out.length > 0 ? out.data : "", text);
    buffer_clear(&out);
}

TEST(test_written)
{
    struct sse_event event = {.has_data = true};

    expect_written((struct sse_event){0}, "");
    expect_written((struct sse_event){.comment = true}, ":\n\n");
    expect_written(event, "data:\n\n");
    event.data = span_of("a\rid: 9\r\ndata: b\n\rc");
    expect_written(event, "data: a\ndata: id: 9\ndata: data: b\ndata:\ndata: c\n\n");
    event.data = span_of("\r\n");
    expect_written(event, "data:\ndata:\n\n");
    event.data = span_of(" a");
    event.has_id = true;
    event.id = span_of(" 1");
    expect_written(event, "id:  1\ndata:  a\n\n");
}

/* What would begin another line or field is not written at all. */
TEST(test_not_written)
{
    static const char *const values[] = {"a\nb", "a\r", "\n", "a\r\ndata: x"};

    for (size_t i = 0; i <= sizeof(values) / sizeof(values[0]); i++) {
        struct span value = i < 4 ? span_of(values[i]) : (struct span){"a\0b", 3};
        const struct sse_event events[] = {
            {.has_type = true, .type = value, .has_data = true, .data = span_of("x")},
            {.has_id = true, .id = value, .has_data = true, .data = span_of("x")},
        };

        for (size_t j = 0; j < 2; j++) {
            struct buffer out;

            buffer_init(&out, 1000);
            sse_write(&events[j], &out);
            assert_true(buffer_failed(&out));
            assert_int_equal(out.length, 0);
            buffer_clear(&out);
        }
    }
}

/* A stream that waits keeps little, whatever it carried before. */
TEST(test_memory)
{
    size_t length = 1024 * 1024, taken;
    char *text = malloc(length);
    struct sse_parser parser;
    struct sse_event event;

    assert_non_null(text);
    memset(text, 'a', length);
    memcpy(text, "data: ", 6);
    memcpy(text + length - 2, "\n\n", 2);
    sse_init(&parser, length);
    assert_int_equal(sse_next(&parser, text, length, &taken, &event), SSE_EVENT);
    assert_int_equal(event.data.length, length - 8);
    assert_int_equal(sse_next(&parser, ":\n", 2, &taken, &event), SSE_EVENT);
    assert_true(parser.data.capacity <= 8192);
    text[0] = ':'; /* a long comment */
    assert_int_equal(sse_next(&parser, text, length, &taken, &event), SSE_EVENT);
    assert_true(event.comment);
    assert_true(parser.data.capacity <= 8192);
    sse_clear(&parser);
    free(text);
}

/* Of an event that is waited on, what it holds is known wherever its bytes are. */
TEST(test_holds)
{
    static const char *const names[] = {"data:", "event:", "id:"};
    const size_t length = 100000;
    char *text = malloc(length);

    assert_non_null(text);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct sse_parser parser;
        struct sse_event event;
        size_t taken;

        sse_init(&parser, 2 * length);
        memset(text, 'x', length);
        memcpy(text, names[i], strlen(names[i]));
        assert_int_equal(sse_next(&parser, text, length, &taken, &event), SSE_MORE);
        assert_true(sse_holds(&parser) >= length);
        assert_int_equal(sse_next(&parser, "\n", 1, &taken, &event), SSE_MORE);
        assert_true(sse_holds(&parser) >= length - strlen(names[i]));
        sse_clear(&parser);
        assert_int_equal(sse_holds(&parser), 0);
        /* Behind what stays: a line that is left out. */
        sse_init(&parser, 2 * length);
        text[0] = ':';
        assert_int_equal(sse_next(&parser, "data:x\n", 7, &taken, &event), SSE_MORE);
        assert_int_equal(sse_next(&parser, text, length, &taken, &event), SSE_MORE);
        assert_int_equal(sse_next(&parser, "\n", 1, &taken, &event), SSE_EVENT);
        assert_true(sse_holds(&parser) >= length);
        sse_clear(&parser);
        assert_int_equal(sse_holds(&parser), 0);
    }
    free(text);
}

/* What was told of one in pieces is kept no longer than that. */
TEST(test_holds_no_piece)
{
    struct sse_parser parser;
    struct sse_event event;
    size_t taken;

    sse_init(&parser, 12);
    parser.gives_pieces = true;
    assert_int_equal(sse_next(&parser, "data:012345", 11, &taken, &event), SSE_MORE);
    assert_int_equal(sse_next(&parser, "6789", 4, &taken, &event), SSE_PIECE);
    sse_let_go(&parser);
    assert_int_equal(sse_holds(&parser), 0);
    assert_int_equal(sse_next(&parser, "6789\n\n", 6, &taken, &event), SSE_PIECE);
    sse_clear(&parser);
}

/* What is told of a stream whose events may have twelve bytes, wherever it is split. */
static void expect_pieces(const char *stream, const char *told)
{
    for (size_t step = 1; step <= strlen(stream); step++) {
        struct sse_parser parser;
        struct buffer out;
        size_t most = 0, taken;

        sse_init(&parser, 12);
        parser.gives_pieces = true;
        buffer_init(&out, 4096);
        for (size_t at = 0; at < strlen(stream); at += taken) {
            size_t here = strlen(stream) - at < step ? strlen(stream) - at : step;
            struct sse_event event;
            enum sse_progress progress = sse_next(&parser, stream + at, here, &taken, &event);

            assert_int_not_equal(progress, SSE_FAULT);
            for (size_t i = 0; progress == SSE_PIECE && i < event.data.length; i++) {
                if (event.data.data[i] != '\n') /* between lines, if both were kept */
                    buffer_append(&out, &event.data.data[i], 1);
            }
            if (progress == SSE_PIECE_LAST)
                buffer_append_format(&out, "<%.*s>", (int)event.id.length,
                                     event.has_id ? event.id.data : "");
            if (progress == SSE_EVENT)
                buffer_append_format(&out, "[%.*s]", (int)event.data.length,
                                     event.has_data ? event.data.data : "");
            if (parser.data.length > most)
                most = parser.data.length;
        }
        assert_string_equal(out.data, told);
        assert_true(most <= 12);
        buffer_clear(&out);
        sse_clear(&parser);
    }
}

TEST(test_pieces)
{
    expect_pieces("data:0123456789abcdef\n\ndata: x\n\n", "0123456789abcdef<>[x]");
    expect_pieces("id:7\ndata:0123456789abcdef\r\n\r\ndata:x\n\n", "0123456789abcdef<7>[x]");
    expect_pieces("data:0123\ndata:456789abcdef\n\n", "0123456789abcdef<>");
    expect_pieces("data:0123456789abc\nid: 7\n: no\ndata:def\n\ndata:x\n\n",
                  "0123456789abcdef<>[x]");
    expect_pieces("data:0123\nignored: 456789abcdef\ndata:4\n\n", "01234<>");
    expect_pieces(": 0123456789abcdef\n\ndata:x\n\n", "<>[x]");
}
