#include "wire/http_body.h"

#include <inttypes.h>
#include <stdio.h>

/* 2^64 has 20 decimal and 17 hexadecimal digits: what passes here does not overflow. */
#define LENGTH_DIGITS_MAX     19
#define CHUNK_SIZE_DIGITS_MAX 16

enum stage {
    STAGE_SIZE = 0, /* digits of a chunk's size */
    STAGE_EXTENSION,
    STAGE_SIZE_LF,
    STAGE_DATA,
    STAGE_DATA_CR,
    STAGE_DATA_LF,
    STAGE_TRAILER_START, /* a field line, or the empty line that ends it all */
    STAGE_TRAILER_NAME,
    STAGE_TRAILER_VALUE,
    STAGE_TRAILER_LF,
    STAGE_END_LF,
    STAGE_FAULT, /* once malformed, always */
};

enum fault { FAULT_CHUNK = 0, FAULT_EXTENSION, FAULT_TRAILER };

/* What the fields announce: a length, chunks, or nothing. Refusals: as of a request. */
static enum reason read_framing(const struct http_fields *fields, struct http_body *out)
{
    struct span coding, length;
    enum reason reason = http_fields_single(fields, "content-length", &length);
    uint64_t bytes;

    if (!reason_allows(http_fields_single(fields, "transfer-encoding", &coding)))
        return REASON_LENGTH_CODING;
    if (coding.data != NULL) {
        if (!reason_allows(reason) || length.data != NULL)
            return REASON_LENGTH_AND_CHUNKS;
        if (!span_equals_nocase(coding, "chunked"))
            return REASON_LENGTH_CODING;
        out->kind = HTTP_BODY_CHUNKED;
        return REASON_ALLOWED;
    }
    if (!reason_allows(reason) || length.data == NULL)
        return reason;
    if (!text_number(length, LENGTH_DIGITS_MAX, &bytes))
        return REASON_LENGTH_NUMBER;
    out->kind = HTTP_BODY_LENGTH;
    out->left = out->length = bytes;
    out->has_length = true;
    out->done = bytes == 0;
    return REASON_ALLOWED;
}

enum reason http_body_of_request(const struct http_request *request, bool chunked_allowed,
                                 struct http_body *out)
{
    enum reason reason;

    *out = (struct http_body){.strict = true};
    reason = read_framing(&request->fields, out);
    if (out->kind == HTTP_BODY_CHUNKED && !chunked_allowed)
        return REASON_LENGTH_CHUNKS;
    out->done = out->done || out->kind == HTTP_BODY_NONE;
    return reason;
}

static bool has_no_body(unsigned status, struct span method)
{
    return status < 200 || status == 204 || status == 304 || span_equals(method, "HEAD") ||
           (span_equals(method, "CONNECT") && status < 300);
}

enum reason http_body_of_response(const struct http_response *response, struct span method,
                                  struct http_body *out)
{
    bool announced;

    *out = (struct http_body){.closes =
                                  response->http_1_0 ||
                                  http_fields_have_token(&response->fields, "connection", "close")};
    if (!reason_allows(read_framing(&response->fields, out)) ||
        (out->kind == HTTP_BODY_CHUNKED && response->http_1_0))
        return REASON_ANSWER_FRAMING;
    announced = out->kind != HTTP_BODY_NONE && !out->done;
    if (has_no_body(response->status, method)) {
        /* These may not announce a body: one that does might send it after all. */
        if (response->status < 200 || response->status == 204)
            out->closes = out->closes || announced;
        out->kind = HTTP_BODY_NONE;
        out->left = 0;
        out->done = true;
    } else if (out->kind == HTTP_BODY_NONE) {
        out->kind = HTTP_BODY_UNTIL_CLOSE;
        out->closes = true;
    }
    return REASON_ALLOWED;
}

static bool is_text(char c)
{
    return ((unsigned char)c >= 0x20 && c != 0x7f) || c == '\t';
}

/* Moves on if the byte is the one that must stand here. */
static bool expect(struct http_body *body, bool as_expected, enum stage next)
{
    body->stage = (uint8_t)next;
    return as_expected;
}

/* chunk-size [ chunk-ext ] CRLF, with no white space around the size. */
static bool step_size(struct http_body *body, char c)
{
    int digit = text_hex_digit(c);

    if (digit >= 0 && body->digits < CHUNK_SIZE_DIGITS_MAX) {
        body->left = body->left << 4 | (uint64_t)digit;
        body->digits++;
        return true;
    }
    body->extra_bytes = 0;
    if (c == ';' && !body->strict)
        return expect(body, body->digits > 0, STAGE_EXTENSION);
    return expect(body, c == '\r' && body->digits > 0, STAGE_SIZE_LF);
}

static bool step_extension(struct http_body *body, char c)
{
    if (c == '\r')
        return expect(body, true, STAGE_SIZE_LF);
    return ++body->extra_bytes <= HTTP_CHUNK_EXTENSION_BYTES_MAX && is_text(c);
}

/* *( field-name ":" field-value CRLF ) CRLF; a folded line does not begin with a name. */
static bool step_trailer(struct http_body *body, char c)
{
    if (++body->extra_bytes > HTTP_HEAD_BYTES_MAX)
        return false;
    switch ((enum stage)body->stage) {
    case STAGE_TRAILER_START:
        if (c == '\r')
            return expect(body, true, STAGE_END_LF);
        return expect(body, !body->strict && http_is_token((struct span){&c, 1}),
                      STAGE_TRAILER_NAME);
    case STAGE_TRAILER_NAME:
        if (c == ':')
            return expect(body, true, STAGE_TRAILER_VALUE);
        return http_is_token((struct span){&c, 1});
    case STAGE_TRAILER_VALUE:
        if (c == '\r')
            return expect(body, true, STAGE_TRAILER_LF);
        return is_text(c);
    case STAGE_TRAILER_LF:
        return expect(body, c == '\n', STAGE_TRAILER_START);
    default: /* STAGE_END_LF */
        body->done = c == '\n';
        return body->done;
    }
}

/* Takes one byte of the framing. */
static bool step(struct http_body *body, char c)
{
    switch ((enum stage)body->stage) {
    case STAGE_SIZE:
        return step_size(body, c);
    case STAGE_EXTENSION:
        return step_extension(body, c);
    case STAGE_SIZE_LF:
        body->extra_bytes = 0;
        return expect(body, c == '\n', body->left > 0 ? STAGE_DATA : STAGE_TRAILER_START);
    case STAGE_DATA_CR:
        return expect(body, c == '\r', STAGE_DATA_LF);
    case STAGE_DATA_LF:
        body->digits = 0;
        return expect(body, c == '\n', STAGE_SIZE);
    case STAGE_FAULT:
        return false;
    default:
        return step_trailer(body, c);
    }
}

/* Takes what there is of the payload. */
static void take_payload(struct http_body *body, const char *bytes, size_t length, size_t *taken,
                         struct span *piece)
{
    size_t here = length - *taken;

    if (body->kind != HTTP_BODY_UNTIL_CLOSE) {
        here = here < body->left ? here : (size_t)body->left;
        body->left -= here;
    }
    *piece = (struct span){bytes + *taken, here};
    *taken += here;
}

/* Once malformed, always: and in what. */
static void note_fault(struct http_body *body, enum stage before, char c)
{
    if (before != STAGE_FAULT)
        body->fault = (uint8_t)(before == STAGE_TRAILER_START      ? FAULT_TRAILER
                                : before == STAGE_SIZE && c == ';' ? FAULT_EXTENSION
                                                                   : FAULT_CHUNK);
    body->stage = STAGE_FAULT;
}

enum reason http_body_fault(const struct http_body *body)
{
    if (body->fault == FAULT_TRAILER)
        return REASON_TRAILER;
    return body->fault == FAULT_EXTENSION ? REASON_CHUNK_EXTENSION : REASON_CHUNK;
}

static enum http_progress next_of_chunks(struct http_body *body, const char *bytes, size_t length,
                                         size_t *taken, struct span *piece)
{
    while (*taken < length && !body->done) {
        if (body->stage == STAGE_DATA) {
            if (piece->length > 0)
                break; /* one piece a call */
            take_payload(body, bytes, length, taken, piece);
            if (body->left == 0)
                body->stage = STAGE_DATA_CR;
        } else {
            enum stage before = body->stage;

            if (!step(body, bytes[*taken])) {
                note_fault(body, before, bytes[*taken]);
                *piece = (struct span){NULL, 0};
                return HTTP_FAULT;
            }
            (*taken)++;
        }
    }
    return body->done ? HTTP_COMPLETE : HTTP_MORE;
}

enum http_progress http_body_next(struct http_body *body, const char *bytes, size_t length,
                                  size_t *taken, struct span *piece)
{
    *taken = 0;
    *piece = (struct span){NULL, 0};
    if (body->done)
        return HTTP_COMPLETE;
    if (body->kind == HTTP_BODY_CHUNKED)
        return next_of_chunks(body, bytes, length, taken, piece);
    if (length == 0)
        return HTTP_MORE;
    take_payload(body, bytes, length, taken, piece);
    body->done = body->kind == HTTP_BODY_LENGTH && body->left == 0;
    return body->done ? HTTP_COMPLETE : HTTP_MORE;
}

size_t http_chunk_header(char out[HTTP_CHUNK_HEADER_MAX], uint64_t length)
{
    return (size_t)snprintf(out, HTTP_CHUNK_HEADER_MAX, "%" PRIx64 "\r\n", length);
}
