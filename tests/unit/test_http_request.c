/* http_head.c: what a request is, and that nothing else is one. */
#include "wire/http_head.h"

#include "unit.h"
#include "vector_lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define REFUSED_MIN       100
#define ACCEPTED_MIN      20
#define ALL_PREFIXES_UPTO 512 /* longer vectors are tried at some prefixes only */
#define PREFIX_STEP       389

/* Parses a copy of just this length, so that a sanitizer sees a read behind it. */
static enum http_progress parse_copy(const char *bytes, size_t length, struct http_request *out,
                                     enum reason *reason)
{
    char *copy = malloc(length > 0 ? length : 1);
    enum http_progress progress;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    *reason = REASON_COUNT;
    progress = http_request_parse(copy, length, out, reason);
    free(copy);
    return progress;
}

static size_t next_prefix(size_t at, size_t length)
{
    return length <= ALL_PREFIXES_UPTO || length - at <= PREFIX_STEP ? at + 1 : at + PREFIX_STEP;
}

static void assert_within(struct span span, const char *bytes, size_t length)
{
    assert_true(span.data >= bytes && span.data + span.length <= bytes + length);
}

static void assert_text(struct span span, const char *text)
{
    char *copy = text_copy(span);

    assert_string_equal(copy, text);
    free(copy);
}

TEST(test_refused)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/refused.txt");
    while (vector_next(&vector, 3)) {
        struct http_request request;
        bool refused = false;
        enum reason reason;

        /* However the bytes are cut, the refusal comes once and stays. */
        for (size_t at = 0; at <= vector.length; at = next_prefix(at, vector.length)) {
            enum http_progress progress = parse_copy(vector.text, at, &request, &reason);

            if (progress == HTTP_COMPLETE || (refused && progress != HTTP_FAULT))
                fail_msg("line %zu (%s): let through at %zu", vector.number, vector.fields[1], at);
            refused = progress == HTTP_FAULT;
            if (refused && strcmp(reason_info(reason)->code, vector.fields[0]) != 0)
                fail_msg("line %zu (%s): %s instead of %s", vector.number, vector.fields[1],
                         reason_info(reason)->code, vector.fields[0]);
        }
        if (!refused)
            fail_msg("line %zu (%s): not refused", vector.number, vector.fields[1]);
        count++;
    }
    vector_close(&vector);
    assert_true(count >= REFUSED_MIN);
}

/* What cannot begin a method is refused at once: nobody waits for the rest of a TLS hello. */
TEST(test_first_byte)
{
    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        bool token = http_is_token((struct span){&c, 1});
        struct http_request request;
        enum reason reason;

        assert_int_equal(http_request_parse(&c, 1, &request, &reason),
                         token ? HTTP_MORE : HTTP_FAULT);
    }
}

static void check_accepted(const struct vector_line *vector)
{
    size_t head_bytes = vector->length - strtoul(vector->fields[4], NULL, 10);
    struct http_request request;
    enum reason reason;

    for (size_t at = 0; at < head_bytes; at = next_prefix(at, head_bytes)) {
        if (parse_copy(vector->text, at, &request, &reason) != HTTP_MORE)
            fail_msg("line %zu: decided at %zu already", vector->number, at);
    }
    if (http_request_parse(vector->text, vector->length, &request, &reason) != HTTP_COMPLETE)
        fail_msg("line %zu: refused", vector->number);
    assert_int_equal(request.head_bytes, head_bytes);
    assert_text(request.method, vector->fields[0]);
    assert_text(request.path, vector->fields[1]);
    if (strcmp(vector->fields[2], "-") == 0)
        assert_null(request.query.data);
    else
        assert_text(request.query, vector->fields[2]);
    assert_int_equal(request.fields.count, strtoul(vector->fields[3], NULL, 10));
    assert_within(request.path, vector->text, head_bytes);
    for (size_t i = 0; i < request.fields.count; i++) {
        assert_within(request.fields.list[i].name, vector->text, head_bytes);
        assert_within(request.fields.list[i].value, vector->text, head_bytes);
        assert_true(http_is_token(request.fields.list[i].name));
    }
}

TEST(test_accepted)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/accepted.txt");
    for (; vector_next(&vector, 6); count++)
        check_accepted(&vector);
    vector_close(&vector);
    assert_true(count >= ACCEPTED_MIN);
}

TEST(test_single)
{
    struct vector_line vector;

    vector_open(&vector, VECTORS_DIR "/http/headers.txt");
    while (vector_next(&vector, 4)) {
        struct http_request request;
        enum reason reason;
        struct span value;

        assert_int_equal(http_request_parse(vector.text, vector.length, &request, &reason),
                         HTTP_COMPLETE);
        reason = http_fields_single(&request.fields, vector.fields[1], &value);
        if (strcmp(reason_info(reason)->code, vector.fields[0]) != 0)
            fail_msg("line %zu: %s", vector.number, reason_info(reason)->code);
        if (!reason_allows(reason))
            continue;
        if (strcmp(vector.fields[2], "-") == 0)
            assert_null(value.data);
        else
            assert_text(value, vector.fields[2]);
    }
    vector_close(&vector);
}

static struct http_request parse_text(const char *text)
{
    struct http_request request;
    enum reason reason;

    assert_int_equal(http_request_parse(text, strlen(text), &request, &reason), HTTP_COMPLETE);
    return request;
}

/* Values are trimmed of spaces and tabs, and of nothing else (RFC 9112 section 5.1). */
TEST(test_values)
{
    struct http_request request = parse_text("GET / HTTP/1.1\r\n"
                                             "A: \t b \t c\t \r\n"
                                             "b:\r\n"
                                             "C:: :\r\n"
                                             "D: \xc2\xa0\r\n\r\n");

    assert_int_equal(request.fields.count, 4);
    assert_text(request.fields.list[0].name, "A");
    assert_text(request.fields.list[0].value, "b \t c");
    assert_text(request.fields.list[1].value, "");
    assert_text(request.fields.list[2].value, ": :");
    assert_text(request.fields.list[3].value, "\xc2\xa0");
}

TEST(test_has_token)
{
    struct http_request request = parse_text("GET / HTTP/1.1\r\n"
                                             "Connection: keep-alive ,\tUPgrade,,x-y\r\n"
                                             "Other: close\r\n"
                                             "connection: te\r\n\r\n");

    assert_true(http_fields_have_token(&request.fields, "connection", "upgrade"));
    assert_true(http_fields_have_token(&request.fields, "CONNECTION", "keep-alive"));
    assert_true(http_fields_have_token(&request.fields, "connection", "te"));
    assert_false(http_fields_have_token(&request.fields, "connection", "close"));
    assert_false(http_fields_have_token(&request.fields, "connection", "x"));
    assert_false(http_fields_have_token(&request.fields, "connection", "y"));
    assert_false(http_fields_have_token(&request.fields, "connection", ""));
    assert_false(http_fields_have_token(&request.fields, "connection", "keep-alive ,\tUPgrade"));
    assert_false(http_fields_have_token(&request.fields, "upgrade", "upgrade"));
}

TEST(test_lists)
{
    struct span list = span_of(" , a,\t b c \t,,d"), element;

    assert_true(http_list_next(&list, &element));
    assert_text(element, "a");
    assert_true(http_list_next(&list, &element));
    assert_text(element, "b c");
    assert_true(http_list_next(&list, &element));
    assert_text(element, "d");
    assert_false(http_list_next(&list, &element));
    assert_false(http_list_next(&list, &element));
    list = span_of(", ,\t,");
    assert_false(http_list_next(&list, &element));
    list = span_of(NULL);
    assert_false(http_list_next(&list, &element));
    /* Only so much of the bytes as the span says. */
    list = (struct span){"ab,c", 1};
    assert_true(http_list_next(&list, &element));
    assert_text(element, "a");
    assert_false(http_list_next(&list, &element));
}

TEST(test_tokens)
{
    static const char permitted[] = "!#$%&'*+-.^_`|~0123456789"
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte;

        assert_int_equal(http_is_token((struct span){&c, 1}),
                         byte != 0 && strchr(permitted, byte) != NULL);
    }
    assert_true(http_is_token(span_of(permitted)));
    assert_false(http_is_token(span_of("")));
    assert_false(http_is_token(span_of(NULL)));
    assert_false(http_is_token(span_of("a b")));
}
