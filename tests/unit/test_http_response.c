/* http_head.c: what a service may answer. */
#include "wire/http_head.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPGRADE                                                                                    \
    "HTTP/1.1 101 Switching Protocols\r\n"                                                         \
    "Upgrade: websocket\r\n"                                                                       \
    "Connection: Upgrade\r\n"                                                                      \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

static void expect_fault(const char *bytes, size_t length)
{
    struct http_response response;

    if (http_response_parse(bytes, length, &response) != HTTP_FAULT)
        fail_msg("not refused: %s", bytes);
}

TEST(test_upgrade)
{
    static const char bytes[] = UPGRADE "frame";
    size_t head = sizeof(UPGRADE) - 1;
    struct http_response response;
    struct span value;

    for (size_t at = 0; at < head; at++)
        assert_int_equal(http_response_parse(bytes, at, &response), HTTP_MORE);
    for (size_t at = head; at < sizeof(bytes); at++) {
        assert_int_equal(http_response_parse(bytes, at, &response), HTTP_COMPLETE);
        assert_int_equal(response.head_bytes, head);
    }
    assert_int_equal(response.status, 101);
    assert_false(response.http_1_0);
    assert_int_equal(response.fields.count, 3);
    assert_true(http_fields_have_token(&response.fields, "connection", "upgrade"));
    assert_false(http_fields_have_token(&response.fields, "connection", "close"));
    assert_int_equal(http_fields_single(&response.fields, "SEC-WEBSOCKET-ACCEPT", &value),
                     REASON_ALLOWED);
    assert_true(span_equals(value, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_int_equal(http_fields_single(&response.fields, "sec-websocket-protocol", &value),
                     REASON_ALLOWED);
    assert_null(value.data);
}

TEST(test_status_lines)
{
    static const struct {
        const char *text;
        unsigned status;
        bool http_1_0;
    } good[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", 200, false},
        {"HTTP/1.0 404 Not Found\r\n\r\n", 404, true},
        {"HTTP/1.1 204 \r\n\r\n", 204, false},
        {"HTTP/1.1 204\r\n\r\n", 204, false},
        {"HTTP/1.1 599 caf\xc3\xa9\tx\r\n\r\n", 599, false},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 100, false},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct http_response response;

        assert_int_equal(http_response_parse(good[i].text, strlen(good[i].text), &response),
                         HTTP_COMPLETE);
        assert_int_equal(response.status, good[i].status);
        assert_int_equal(response.http_1_0, good[i].http_1_0);
    }
}

TEST(test_refused)
{
    static const char *const bad[] = {
        "\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        " HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 20\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 Early\r\n\r\n",
        "HTTP/1.1 000 Nothing\r\n\r\n",
        "HTTP/1.1 600 Late\r\n\r\n",
        "HTTP/1.1 -10 OK\r\n\r\n",
        "HTTP/1.1 1x1 OK\r\n\r\n",
        "HTTP/1.1 101OK\r\n\r\n",
        "HTTP/1.1  101 OK\r\n\r\n",
        "HTTP/1.1\t101 OK\r\n\r\n",
        "HTTP/1.1 101\tOK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "SSH-2.0-server\r\n",
        "220 mail ready\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 O\nK\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 101 x\nUpgrade: websocket\r\n\r\n",
        "HTTP/1.1 200 \x1b[2J\r\n\r\n",
        "HTTP/1.1 200 \x7f\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX\r\n\r\n",
        "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\n\r\n",
        "HTTP/1.1 200 OK\r\nX: y\rZ: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\n",
        "HTTP/1.1 200 OK\r\nX: \x01\r\n\r\n",
    };
    static const char with_nul[] = "HTTP/1.1 200 O\0K\r\n\r\n";
    static const char nul_value[] = "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n";

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_fault(bad[i], strlen(bad[i]));
    expect_fault(with_nul, sizeof(with_nul) - 1);
    expect_fault(nul_value, sizeof(nul_value) - 1);
}

TEST(test_limits)
{
    static char bytes[HTTP_HEAD_BYTES_MAX + 100];
    struct http_response response;
    size_t length = 0;

    memset(bytes, 'a', sizeof(bytes));
    memcpy(bytes, "HTTP/1.1 200 OK\r\nX: ", 20);
    assert_int_equal(http_response_parse(bytes, HTTP_HEAD_BYTES_MAX - 1, &response), HTTP_MORE);
    expect_fault(bytes, HTTP_HEAD_BYTES_MAX);
    expect_fault(bytes, sizeof(bytes));
    memcpy(bytes + HTTP_HEAD_BYTES_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(http_response_parse(bytes, sizeof(bytes), &response), HTTP_COMPLETE);
    assert_int_equal(response.head_bytes, HTTP_HEAD_BYTES_MAX);
    memset(bytes + HTTP_HEAD_BYTES_MAX - 4, 'a', 1);
    memcpy(bytes + HTTP_HEAD_BYTES_MAX - 3, "\r\n\r\n", 4);
    expect_fault(bytes, sizeof(bytes));

    length = (size_t)snprintf(bytes, sizeof(bytes), "HTTP/1.1 200 OK\r\n");
    for (size_t i = 0; i <= HTTP_FIELDS_MAX; i++)
        length += (size_t)snprintf(bytes + length, sizeof(bytes) - length, "X-%zu: y\r\n", i);
    expect_fault(bytes, length);
}

TEST(test_duplicates)
{
    static const char text[] = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nupgrade: h2c\r\n\r\n";
    struct http_response response;
    struct span value;

    assert_int_equal(http_response_parse(text, sizeof(text) - 1, &response), HTTP_COMPLETE);
    assert_int_equal(http_fields_single(&response.fields, "upgrade", &value),
                     REASON_HEADER_DUPLICATE);
}

/* Nobody waits for the rest of what is no answer. */
TEST(test_refused_at_once)
{
    static const char *const bad[] = {
        "h", "hello", "HTTP/2", "<html>", "HTTP/1.1 200 OK\n", "HTTP/1.1 200 O\rK", "\n",
    };
    static const char good[] = "HTTP/1.1 200 OK\r";
    struct http_response response;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_fault(bad[i], strlen(bad[i]));
    for (size_t length = 0; length < sizeof(good); length++)
        assert_int_equal(http_response_parse(good, length, &response), HTTP_MORE);
}
