/* http_body.c: where bodies end, wherever the bytes are split, and that no doubt is let through. */
#include "base/buffer.h"
#include "wire/http_body.h"

#include "unit.h"
#include "vector_lines.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FRAMINGS_MIN      90
#define CHUNK_VECTORS_MIN 70
#define ALL_SPLITS_UPTO   600 /* longer vectors are split at some places only */
#define SPLIT_STEP        397

static void describe(const struct http_body *body, enum reason reason, bool answer, char *out,
                     size_t size)
{
    static const char *const kinds[] = {"none", "length", "chunked", "until_close"};
    const char *again = answer && !body->closes ? "+" : "";

    if (!reason_allows(reason))
        snprintf(out, size, "%s", reason_info(reason)->code);
    else if (body->kind == HTTP_BODY_LENGTH)
        snprintf(out, size, "length:%" PRIu64 "%s", body->left, again);
    else
        snprintf(out, size, "%s%s", kinds[body->kind], again);
}

TEST(test_framings)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/framings.txt");
    while (vector_next(&vector, 3)) {
        const char *reader = vector.fields[0];
        bool client = strcmp(reader, "client") == 0, chunks = strcmp(reader, "chunks") == 0;
        struct http_request request;
        struct http_response response;
        struct http_body body = {0};
        enum http_progress progress;
        enum reason reason;
        char found[64];

        if (client || chunks) {
            progress = http_request_parse(vector.text, vector.length, &request, &reason);
            reason = http_body_of_request(&request, chunks, &body);
            assert_true(body.strict);
        } else {
            progress = http_response_parse(vector.text, vector.length, &response);
            reason = http_body_of_response(&response, span_of(reader), &body);
            assert_false(body.strict);
        }
        assert_int_equal(progress, HTTP_COMPLETE);
        describe(&body, reason, !client && !chunks, found, sizeof(found));
        if (strcmp(found, vector.fields[1]) != 0)
            fail_msg("line %zu: %s, not %s", vector.number, found, vector.fields[1]);
        if (reason_allows(reason))
            assert_int_equal(body.done, body.kind == HTTP_BODY_NONE ||
                                            (body.kind == HTTP_BODY_LENGTH && body.left == 0));
        count++;
    }
    vector_close(&vector);
    assert_true(count >= FRAMINGS_MIN);
}

/* The length that an answer without a body announces is kept for whoever forwards it. */
TEST(test_announced_length)
{
    static const char *const texts[] = {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                                        "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"};

    for (size_t i = 0; i < 2; i++) {
        struct http_response response;
        struct http_body body;

        assert_int_equal(http_response_parse(texts[i], strlen(texts[i]), &response), HTTP_COMPLETE);
        assert_int_equal(http_body_of_response(&response, span_of("HEAD"), &body), REASON_ALLOWED);
        assert_true(body.done && body.has_length);
        assert_int_equal(body.length, 5);
        assert_int_equal(body.left, 0);
    }
}

struct outcome {
    enum http_progress progress;
    size_t taken;
    struct buffer payload;
};

/* Feeds a copy of just this piece, so that a sanitizer sees a read behind it. */
static void feed(struct http_body *body, const char *bytes, size_t length, struct outcome *out)
{
    char *copy = malloc(length > 0 ? length : 1);
    size_t at = 0;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    while (at < length && out->progress == HTTP_MORE) {
        struct span piece;
        size_t taken;

        out->progress = http_body_next(body, copy + at, length - at, &taken, &piece);
        assert_true(taken <= length - at);
        assert_true(taken > 0 || out->progress != HTTP_MORE);
        assert_true(piece.length <= taken);
        if (piece.length > 0)
            assert_true(piece.data >= copy + at && piece.data + piece.length <= copy + length);
        buffer_append(&out->payload, piece.data, piece.length);
        at += taken;
    }
    out->taken += at;
    free(copy);
}

static void check_outcome(const struct vector_line *vector, const struct outcome *outcome,
                          const char *where)
{
    char found[64];

    if (outcome->progress == HTTP_COMPLETE)
        snprintf(found, sizeof(found), "end:%zu", vector->length - outcome->taken);
    else
        snprintf(found, sizeof(found), "%s", outcome->progress == HTTP_MORE ? "more" : "fault");
    if (strcmp(found, vector->fields[1]) != 0)
        fail_msg("line %zu (%s), %s: %s", vector->number, vector->fields[3], where, found);
    /* A fault may take back the payload of its own call, and only that. */
    if (outcome->progress == HTTP_FAULT) {
        assert_true(outcome->payload.length <= strlen(vector->fields[2]));
        assert_memory_equal(outcome->payload.length > 0 ? outcome->payload.data : "",
                            vector->fields[2], outcome->payload.length);
    } else {
        assert_string_equal(outcome->payload.length > 0 ? outcome->payload.data : "",
                            vector->fields[2]);
    }
}

static void run_split(const struct vector_line *vector, bool strict, size_t split)
{
    struct http_body body = {.kind = HTTP_BODY_CHUNKED, .strict = strict};
    struct outcome outcome = {.progress = HTTP_MORE};
    char where[32];

    buffer_init(&outcome.payload, 4096);
    feed(&body, vector->text, split, &outcome);
    feed(&body, vector->text + split, vector->length - split, &outcome);
    snprintf(where, sizeof(where), "split at %zu", split);
    check_outcome(vector, &outcome, where);
    buffer_clear(&outcome.payload);
}

static void run_bytes(const struct vector_line *vector, bool strict)
{
    struct http_body body = {.kind = HTTP_BODY_CHUNKED, .strict = strict};
    struct outcome outcome = {.progress = HTTP_MORE};

    buffer_init(&outcome.payload, 4096);
    for (size_t i = 0; i < vector->length; i++)
        feed(&body, vector->text + i, 1, &outcome);
    check_outcome(vector, &outcome, "byte by byte");
    if (outcome.progress == HTTP_FAULT) { /* once refused, always refused */
        outcome.progress = HTTP_MORE;
        feed(&body, "0\r\n\r\n", 5, &outcome);
        assert_int_equal(outcome.progress, HTTP_FAULT);
    }
    buffer_clear(&outcome.payload);
}

TEST(test_chunks)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/chunks.txt");
    while (vector_next(&vector, 5)) {
        for (int strict = 0; strict < 2; strict++) {
            if (strcmp(vector.fields[0], strict ? "service" : "client") == 0)
                continue;
            for (size_t at = 0; at <= vector.length;
                 at += vector.length <= ALL_SPLITS_UPTO ? 1 : SPLIT_STEP)
                run_split(&vector, strict, at);
            run_bytes(&vector, strict);
        }
        count++;
    }
    vector_close(&vector);
    assert_true(count >= CHUNK_VECTORS_MIN);
}

TEST(test_length)
{
    struct http_body body = {.kind = HTTP_BODY_LENGTH, .left = 5};
    struct span piece;
    size_t taken;

    assert_int_equal(http_body_next(&body, "hel", 3, &taken, &piece), HTTP_MORE);
    assert_true(taken == 3 && span_equals(piece, "hel") && body.left == 2);
    assert_int_equal(http_body_next(&body, NULL, 0, &taken, &piece), HTTP_MORE);
    assert_true(taken == 0 && piece.length == 0);
    assert_int_equal(http_body_next(&body, "loGET", 5, &taken, &piece), HTTP_COMPLETE);
    assert_true(taken == 2 && span_equals(piece, "lo"));
    assert_int_equal(http_body_next(&body, "GET", 3, &taken, &piece), HTTP_COMPLETE);
    assert_true(taken == 0 && piece.length == 0);
}

TEST(test_none_and_until_close)
{
    struct http_body none = {.done = true}, open = {.kind = HTTP_BODY_UNTIL_CLOSE};
    struct span piece;
    size_t taken;

    assert_int_equal(http_body_next(&none, "GET", 3, &taken, &piece), HTTP_COMPLETE);
    assert_true(taken == 0 && piece.length == 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_body_next(&open, "data", 4, &taken, &piece), HTTP_MORE);
        assert_true(taken == 4 && span_equals(piece, "data"));
    }
    assert_false(open.done);
}

/* What was written is read as the same length. */
TEST(test_chunk_header)
{
    static const struct {
        uint64_t length;
        const char *text;
    } cases[] = {
        {1, "1\r\n"},
        {26, "1a\r\n"},
        {0xfff, "fff\r\n"},
        {0x1000, "1000\r\n"},
        {UINT64_MAX, "ffffffffffffffff\r\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_body body = {.kind = HTTP_BODY_CHUNKED, .strict = true};
        char out[HTTP_CHUNK_HEADER_MAX];
        size_t length = http_chunk_header(out, cases[i].length), taken;
        struct span piece;

        assert_true(span_equals((struct span){out, length}, cases[i].text));
        assert_int_equal(http_body_next(&body, out, length, &taken, &piece), HTTP_MORE);
        assert_int_equal(taken, length);
        assert_true(body.left == cases[i].length);
    }
}
