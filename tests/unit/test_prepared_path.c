/* prepared_path.c: the path that a service's answer names, whole and as it comes. */
#include "broker/admission/prepared_path.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char post[] = "/connect", member[] = "p", from[] = "", id[] = "session_id",
            then[] = "/ws/{answer}";
static const struct route_prepare rule = {post, member, from, id, then};

/* The path, or the code of the reason for which there is none, or "more". */
static void expect(const char *answer, bool ended, const char *wanted)
{
    enum reason reason = REASON_ALLOWED;
    struct buffer path;
    const char *got = "more";

    buffer_init(&path, PREPARED_PATH_BYTES_MAX);
    switch (prepared_path_read(&rule, span_of(answer), ended, &path, &reason)) {
    case HTTP_COMPLETE:
        got = path.data;
        break;
    case HTTP_FAULT:
        got = reason_info(reason)->code;
        break;
    case HTTP_MORE:
        break;
    }
    if (strcmp(got, wanted) != 0)
        fail_msg("%s\n%s, not %s", answer, got, wanted);
    buffer_clear(&path);
}

static void expect_body(const char *body, const char *wanted)
{
    char answer[1024];

    snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    expect(answer, false, wanted);
    snprintf(answer, sizeof(answer), "HTTP/1.0 201 Created\r\n\r\n%s", body);
    expect(answer, false, "more");
    expect(answer, true, wanted);
}

TEST(test_named)
{
    expect_body("{\"session_id\":\"abc-123_~\"}", "/ws/abc-123_~");
    expect_body(" {\"x\":[1],\"session_id\":\"\\u0061\"} ", "/ws/a");
}

TEST(test_names_nothing)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[\"a\"]",
        "{\"session_id\":1}",
        "{\"session_id\":\"\"}",
        "{\"session_id\":null}",
        "{\"x\":{\"session_id\":\"a\"}}",
        "{\"session_id\":\"a\",\"session_id\":\"a\"}",
        "{\"session_id\":\"a\"",
        "{\"session_id\":\"../x\"}",
        "{\"session_id\":\"a/b\"}",
        "{\"session_id\":\"a?b\"}",
        "{\"session_id\":\"a#b\"}",
        "{\"session_id\":\"a%2e\"}",
        "{\"session_id\":\"a b\"}",
        "{\"session_id\":\"a\\r\\nHost: x\"}",
        "{\"session_id\":\"a\\u0000b\"}",
        "{\"session_id\":\"\\u00e9\"}",
    };
    char body[600] = "{\"session_id\":\"";

    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        expect_body(bodies[i], reason_info(REASON_UPSTREAM_PROTOCOL)->code);
    memset(body + strlen(body), 'a', 300);
    strcat(body, "\"}");
    expect_body(body, reason_info(REASON_UPSTREAM_PROTOCOL)->code);
}

TEST(test_refused)
{
    const char *refused = reason_info(REASON_UPSTREAM_REFUSED)->code;

    expect("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false, refused);
    expect("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", false, refused);
    expect("HTTP/1.1 500 X\r\n\r\n{\"session_id\":\"a\"}", true, refused);
}

/* Byte by byte: more, until it is whole. */
TEST(test_as_it_comes)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n"
                                 "{\"session_id\":\"a\"}";

    for (size_t length = 0; length < sizeof(answer) - 1; length++) {
        char *part = text_copy((struct span){answer, length});

        expect(part, false, "more");
        expect(part, true, reason_info(REASON_UPSTREAM_PROTOCOL)->code);
        free(part);
    }
    expect(answer, false, "/ws/a");
    expect("garbage\r\n\r\n", false, reason_info(REASON_UPSTREAM_PROTOCOL)->code);
}
