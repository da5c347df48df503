/* http_forward.c: which headers travel, and in what form. */
#include "wire/http_forward.h"

#include "unit.h"
#include "vector_lines.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HOST           "svc:80"
#define TO_SERVICE_MIN 100
#define TO_CLIENT_MIN  75
#define HEAD_BYTES_MAX (2 * HTTP_HEAD_BYTES_MAX)
#define OPTION_BYTES   64

struct options {
    bool host_public, identity, close;
    struct http_body body;
    struct text_list readmit; /* owned */
};

static void read_option(const char *word, struct options *out)
{
    const char *value = strchr(word, '=');

    if (strcmp(word, "public") == 0)
        out->host_public = true;
    else if (strcmp(word, "identity") == 0)
        out->identity = true;
    else if (strcmp(word, "close") == 0)
        out->close = true;
    else if (strcmp(word, "chunked") == 0)
        out->body.kind = HTTP_BODY_CHUNKED;
    else if (strcmp(word, "until_close") == 0)
        out->body.kind = HTTP_BODY_UNTIL_CLOSE;
    else if (strncmp(word, "length=", 7) == 0)
        out->body =
            (struct http_body){.kind = HTTP_BODY_LENGTH, .left = strtoull(value + 1, NULL, 10)};
    else if (strncmp(word, "has=", 4) == 0)
        out->body = (struct http_body){
            .has_length = true, .length = strtoull(value + 1, NULL, 10), .done = true};
    else if (strncmp(word, "readmit=", 8) == 0)
        assert_int_equal(text_list_add(&out->readmit, value + 1, strlen(value + 1)), OK);
    else
        assert_string_equal(word, "-");
}

static void read_options(const char *text, struct options *out)
{
    char copy[OPTION_BYTES], *rest = copy, *word;

    *out = (struct options){0};
    snprintf(copy, sizeof(copy), "%s", text);
    while ((word = strsep(&rest, ",")) != NULL)
        read_option(word, out);
}

/* The expected lines stand in the vectors with | for the end of a line. */
static void check_output(const struct vector_line *vector, enum reason reason, enum reason refusal,
                         const struct buffer *out)
{
    char found[HEAD_BYTES_MAX];
    size_t length = 0;

    assert_false(buffer_failed(out));
    for (size_t i = 0; i < out->length; i++) {
        if (out->data[i] == '\r') {
            assert_int_equal(out->data[++i], '\n');
            found[length++] = '|';
        } else {
            assert_int_not_equal(out->data[i], '\n');
            found[length++] = out->data[i];
        }
    }
    found[length] = '\0';
    if (strcmp(vector->fields[2], "!") == 0)
        assert_int_equal(reason, refusal);
    else if (!reason_allows(reason) || strcmp(found, vector->fields[2]) != 0)
        fail_msg("line %zu (%s): %s: %s", vector->number, vector->fields[1],
                 reason_info(reason)->code, found);
}

TEST(test_to_service)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/to_service.txt");
    while (vector_next(&vector, 4)) {
        struct http_request request;
        struct options options;
        enum reason reason;
        struct buffer out;

        read_options(vector.fields[0], &options);
        buffer_init(&out, HEAD_BYTES_MAX);
        if (http_request_parse(vector.text, vector.length, &request, &reason) != HTTP_COMPLETE)
            fail_msg("line %zu: the head is not one", vector.number);
        reason = http_forward_request(
            &(struct http_forward_request_options){.host = HOST,
                                                   .host_public = options.host_public,
                                                   .identity_encoding = options.identity,
                                                   .readmit = &options.readmit,
                                                   .body = &options.body},
            &request, &out);
        check_output(&vector, reason, REASON_CONNECTION_NAMES, &out);
        text_list_clear(&options.readmit);
        buffer_clear(&out);
        count++;
    }
    vector_close(&vector);
    assert_true(count >= TO_SERVICE_MIN);
}

TEST(test_to_client)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/to_client.txt");
    while (vector_next(&vector, 4)) {
        struct http_response response;
        struct options options;
        enum reason reason;
        struct buffer out;

        read_options(vector.fields[0], &options);
        buffer_init(&out, HEAD_BYTES_MAX);
        if (http_response_parse(vector.text, vector.length, &response) != HTTP_COMPLETE)
            fail_msg("line %zu: the head is not one", vector.number);
        reason =
            http_forward_response(&(struct http_forward_response_options){.host = HOST,
                                                                          .port = 8081,
                                                                          .path = span_of("/mcp"),
                                                                          .body = &options.body,
                                                                          .close = options.close},
                                  &response, &out);
        check_output(&vector, reason, REASON_ANSWER_HEAD, &out);
        buffer_clear(&out);
        count++;
    }
    vector_close(&vector);
    assert_true(count >= TO_CLIENT_MIN);
}

/* To a browser tabs are not there, and two slashes with some between them begin another host. */
TEST(test_no_host_in_a_path)
{
    static const char *const paths[] = {"/\t/evil.example/", "/\t\t/evil", "/\t\\evil", "/\\evil"};
    const struct http_body none = {.done = true};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char text[200], wanted[100];
        struct http_response response;
        struct buffer out;

        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Found\r\nLocation: http://localhost:8081%s\r\n\r\n", paths[i]);
        snprintf(wanted, sizeof(wanted), "\r\nLocation: /.%s\r\n", paths[i]);
        buffer_init(&out, HEAD_BYTES_MAX);
        assert_int_equal(http_response_parse(text, strlen(text), &response), HTTP_COMPLETE);
        assert_int_equal(
            http_forward_response(
                &(struct http_forward_response_options){
                    .host = HOST, .port = 8081, .path = span_of("/mcp"), .body = &none},
                &response, &out),
            REASON_ALLOWED);
        buffer_append(&out, "", 1);
        assert_non_null(strstr(out.data, wanted));
        buffer_clear(&out);
    }
}

/* No list of readmitted names is the same as an empty one. */
TEST(test_no_readmission)
{
    static const char text[] = "GET / HTTP/1.1\r\nX-Real-IP: 1\r\nX-A: 1\r\n\r\n";
    const struct http_body none = {.done = true};
    struct http_request request;
    enum reason reason;
    struct buffer out;

    buffer_init(&out, HEAD_BYTES_MAX);
    assert_int_equal(http_request_parse(text, sizeof(text) - 1, &request, &reason), HTTP_COMPLETE);
    assert_int_equal(
        http_forward_request(&(struct http_forward_request_options){.host = HOST, .body = &none},
                             &request, &out),
        REASON_ALLOWED);
    assert_string_equal(out.data, "X-A: 1\r\n");
    buffer_clear(&out);
}

/* A value that would begin another line does not get as far as to be forwarded. */
TEST(test_no_line_in_a_value)
{
    static const char *const values[] = {"a\nX-B: 1", "a\rX-B: 1", "a\r\n\nX-B: 1",
                                         "\n",        "a\x01",     "a\x7f"};

    for (size_t i = 0; i <= sizeof(values) / sizeof(values[0]); i++) {
        char text[100] = "GET / HTTP/1.1\r\nX-A: ";
        struct http_request request;
        struct http_response response;
        size_t start = strlen(text), length;
        enum reason reason;

        /* The last is NUL. */
        if (i < sizeof(values) / sizeof(values[0]))
            length = start + (size_t)sprintf(text + start, "%s\r\n\r\n", values[i]);
        else
            length = start + (size_t)sprintf(text + start, "a%cb\r\n\r\n", 0);
        assert_int_equal(http_request_parse(text, length, &request, &reason), HTTP_FAULT);
        memcpy(text, "HTTP/1.1 200 K", 14);
        assert_int_equal(http_response_parse(text, length, &response), HTTP_FAULT);
    }
}

TEST(test_too_small_a_buffer)
{
    static const char text[] = "HTTP/1.1 200 OK\r\nX-A: aaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    const struct http_body none = {.done = true};
    struct http_response response;
    struct buffer out;

    buffer_init(&out, 20);
    assert_int_equal(http_response_parse(text, sizeof(text) - 1, &response), HTTP_COMPLETE);
    assert_int_equal(
        http_forward_response(&(struct http_forward_response_options){.host = HOST, .body = &none},
                              &response, &out),
        REASON_ALLOWED);
    assert_true(buffer_failed(&out));
    buffer_clear(&out);
}
