/*
 * Any bytes as a message with a body: wherever they are split, the same payload
 * comes out and the body ends at the same byte; what came out, framed anew, is
 * read as the same. A second reader of chunks, written for this, says where a
 * client's body ends. The first byte chooses: request or answer, method; the
 * second where the bytes are split.
 */
#include "base/buffer.h"
#include "fuzz.h"
#include "wire/http_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAYLOAD_BYTES_MAX (1024 * 1024)

enum { CHOICE_ANSWER = 1, CHOICE_HEAD = 2, CHOICE_CONNECT = 4, CHOICE_NO_CHUNKS = 8 };

struct outcome {
    enum http_progress progress;
    size_t taken;
    struct buffer payload;
};

/* Gives the body these bytes, `step` of them at a time. */
static void read_body(struct http_body body, const char *bytes, size_t length, size_t step,
                      struct outcome *out)
{
    size_t at = 0;

    *out = (struct outcome){.progress = body.done ? HTTP_COMPLETE : HTTP_MORE};
    buffer_init(&out->payload, PAYLOAD_BYTES_MAX);
    while (out->progress == HTTP_MORE && at < length) {
        size_t here = length - at < step ? length - at : step, taken;
        struct span piece;

        out->progress = http_body_next(&body, bytes + at, here, &taken, &piece);
        require(taken <= here && piece.length <= taken);
        require(out->progress != HTTP_MORE || taken > 0);
        require(out->progress != HTTP_FAULT || piece.length == 0);
        require((out->progress == HTTP_COMPLETE) == body.done);
        if (piece.length > 0) {
            require(piece.data >= bytes + at && piece.data + piece.length <= bytes + at + taken);
            buffer_append(&out->payload, piece.data, piece.length);
        }
        at += taken;
    }
    if (out->progress != HTTP_MORE) { /* and so it stays */
        struct span piece;
        size_t taken;

        require(http_body_next(&body, "0", 1, &taken, &piece) == out->progress && taken == 0);
    }
    out->taken = at;
    require(!buffer_failed(&out->payload));
}

static bool same(const struct buffer *a, const struct buffer *b)
{
    return a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* Chunks as a client may send them; whether they end, and then where. */
static bool chunks_end(const char *bytes, size_t length, size_t *end, size_t *payload)
{
    size_t at = 0;

    for (*payload = 0;;) {
        size_t digits = at;
        uint64_t size = 0;

        while (at < length && bytes[at] != '\0' && strchr("0123456789abcdefABCDEF", bytes[at]))
            at++;
        if (at == digits || at - digits > 16 || length - at < 2 ||
            memcmp(bytes + at, "\r\n", 2) != 0)
            return false;
        for (; digits < at; digits++) {
            char digit[2] = {bytes[digits], '\0'};

            size = size * 16 + strtoul(digit, NULL, 16);
        }
        at += 2;
        if (size > length || length - at < size + 2 || memcmp(bytes + at + size, "\r\n", 2) != 0)
            return false;
        at += size + 2;
        *payload += size;
        if (size == 0)
            break;
    }
    *end = at;
    return true;
}

/* One chunk, or a length: the same payload again. */
static void check_again(const struct outcome *whole, bool chunked, bool strict)
{
    struct http_body body = {.strict = strict};
    char header[HTTP_CHUNK_HEADER_MAX];
    const struct buffer *payload = &whole->payload;
    struct outcome again;
    struct buffer framed;

    buffer_init(&framed, PAYLOAD_BYTES_MAX + 64);
    if (chunked) {
        body.kind = HTTP_BODY_CHUNKED;
        if (payload->length > 0) {
            buffer_append(&framed, header, http_chunk_header(header, payload->length));
            buffer_append(&framed, payload->data, payload->length);
            buffer_append_text(&framed, "\r\n");
        }
        buffer_append_text(&framed, HTTP_LAST_CHUNK);
    } else {
        body = (struct http_body){.kind = HTTP_BODY_LENGTH, .left = payload->length};
        body.done = body.left == 0;
        if (payload->length > 0)
            buffer_append(&framed, payload->data, payload->length);
    }
    read_body(body, framed.data, framed.length, SIZE_MAX, &again);
    require(again.progress == HTTP_COMPLETE && again.taken == framed.length);
    require(same(&again.payload, payload));
    buffer_clear(&again.payload);
    buffer_clear(&framed);
}

static void check_body(const struct http_body *body, const char *bytes, size_t length, size_t step)
{
    struct outcome whole, split;
    size_t end, payload;

    read_body(*body, bytes, length, SIZE_MAX, &whole);
    read_body(*body, bytes, length, step, &split);
    require(whole.progress == split.progress);
    /* A fault takes along what lay before it in the same piece. */
    if (whole.progress != HTTP_FAULT)
        require(whole.taken == split.taken && same(&whole.payload, &split.payload));
    if (body->kind == HTTP_BODY_CHUNKED && body->strict)
        require(chunks_end(bytes, length, &end, &payload)
                    ? whole.progress == HTTP_COMPLETE && whole.taken == end &&
                          whole.payload.length == payload
                    : whole.progress != HTTP_COMPLETE);
    if (whole.progress == HTTP_COMPLETE)
        check_again(&whole, body->kind == HTTP_BODY_CHUNKED, body->strict);
    buffer_clear(&whole.payload);
    buffer_clear(&split.payload);
}

/* What every framing holds to; `length` and `coding` are what the head says. */
static void check_framing(const struct http_body *body, struct span length, struct span coding)
{
    char text[24];

    require(body->kind != HTTP_BODY_NONE || (body->done && body->left == 0));
    require(body->kind != HTTP_BODY_CHUNKED || !body->done);
    require(body->kind != HTTP_BODY_UNTIL_CLOSE || body->closes);
    require(body->has_length == (length.data != NULL));
    require(length.data == NULL || coding.data == NULL);
    require(body->kind != HTTP_BODY_CHUNKED || span_equals_nocase(coding, "chunked"));
    if (!body->has_length)
        return;
    require(body->kind == HTTP_BODY_NONE || body->left == body->length);
    snprintf(text, sizeof(text), "%" PRIu64, body->length);
    while (length.length > 1 && length.data[0] == '0')
        length = (struct span){length.data + 1, length.length - 1};
    require(span_equals(length, text));
}

static void try_request(uint8_t choice, const char *bytes, size_t length, size_t step)
{
    struct http_request request;
    struct span announced, coding;
    struct http_body body;
    enum reason reason;

    if (http_request_parse(bytes, length, &request, &reason) != HTTP_COMPLETE)
        return;
    reason = http_body_of_request(&request, (choice & CHOICE_NO_CHUNKS) == 0, &body);
    require(reason_allows(reason) || reason_same(reason, REASON_LENGTH_REQUIRED) ||
            reason == REASON_HEADER_DUPLICATE);
    if (!reason_allows(reason))
        return;
    require(reason_allows(http_fields_single(&request.fields, "content-length", &announced)));
    require(reason_allows(http_fields_single(&request.fields, "transfer-encoding", &coding)));
    require(body.strict && body.kind != HTTP_BODY_UNTIL_CLOSE);
    require(body.kind != HTTP_BODY_CHUNKED || (choice & CHOICE_NO_CHUNKS) == 0);
    check_framing(&body, announced, coding);
    check_body(&body, bytes + request.head_bytes, length - request.head_bytes, step);
}

static void try_answer(uint8_t choice, const char *bytes, size_t length, size_t step)
{
    const char *method = (choice & CHOICE_HEAD) != 0      ? "HEAD"
                         : (choice & CHOICE_CONNECT) != 0 ? "CONNECT"
                                                          : "GET";
    struct http_response response;
    struct span announced, coding;
    struct http_body body;
    enum reason reason;

    if (http_response_parse(bytes, length, &response) != HTTP_COMPLETE)
        return;
    reason = http_body_of_response(&response, span_of(method), &body);
    require(reason_allows(reason) || reason == REASON_ANSWER_FRAMING);
    if (!reason_allows(reason))
        return;
    require(reason_allows(http_fields_single(&response.fields, "content-length", &announced)));
    require(reason_allows(http_fields_single(&response.fields, "transfer-encoding", &coding)));
    require(!body.strict && (!response.http_1_0 || body.closes));
    require(!response.http_1_0 || coding.data == NULL);
    check_framing(&body, announced, coding);
    check_body(&body, bytes + response.head_bytes, length - response.head_bytes, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data + 2;

    if (size < 2)
        return 0;
    if ((data[0] & CHOICE_ANSWER) != 0)
        try_answer(data[0], bytes, size - 2, data[1] + 1u);
    else
        try_request(data[0], bytes, size - 2, data[1] + 1u);
    return 0;
}
