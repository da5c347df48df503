/* http_denial.c: what a refused client is told, as a document or as a page. */
#include "wire/http_denial.h"

#include "base/secret.h"
#include "unit.h"
#include "wire/http_head.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static void check_denial(enum reason reason, bool head_only)
{
    const struct reason_info *info = reason_info(reason);
    struct http_response response;
    struct buffer out;
    struct span value;
    json_t *body;

    buffer_init(&out, 4096);
    http_denial_write(&(struct http_denial){.reason = reason,
                                            .request_id = "0a\"<\n\xff",
                                            .head_only = head_only},
                      &out);
    assert_false(buffer_failed(&out));
    assert_int_equal(http_response_parse(out.data, out.length, &response), HTTP_COMPLETE);
    assert_int_equal(response.status, info->http_status != 0 ? info->http_status : 500);
    assert_null(strstr(out.data, "Unknown\r\n")); /* every status has its own phrase */
    assert_true(http_fields_have_token(&response.fields, "connection", "close"));
    assert_int_equal(http_fields_single(&response.fields, "content-type", &value), REASON_ALLOWED);
    assert_true(span_equals(value, "application/problem+json"));
    assert_int_equal(http_fields_single(&response.fields, "content-length", &value),
                     REASON_ALLOWED);
    if (head_only) {
        assert_int_equal(out.length, response.head_bytes);
    } else {
        assert_int_equal(strtoul(value.data, NULL, 10), out.length - response.head_bytes);
        body =
            json_loadb(out.data + response.head_bytes, out.length - response.head_bytes, 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(body, "status")), response.status);
        assert_string_equal(json_string_value(json_object_get(body, "reason")), info->code);
        assert_string_equal(json_string_value(json_object_get(body, "detail")), info->text);
        assert_string_equal(json_string_value(json_object_get(body, "request_id")),
                            "0a\"<\n\xef\xbf\xbd");
        json_decref(body);
    }
    buffer_clear(&out);
}

TEST(test_denials)
{
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        if (reason == REASON_ALLOWED)
            continue;
        check_denial((enum reason)reason, false);
        check_denial((enum reason)reason, true);
    }
}

static void expect_header(enum reason reason, const char *line)
{
    struct buffer out;

    buffer_init(&out, 4096);
    http_denial_write(&(struct http_denial){.reason = reason, .request_id = "id"}, &out);
    if (strstr(out.data, line) == NULL)
        fail_msg("%s lacks %s", reason_info(reason)->code, line);
    buffer_clear(&out);
}

static void expect_allow(const char *allow, const char *line)
{
    struct buffer out;

    buffer_init(&out, 4096);
    http_denial_write(
        &(struct http_denial){.reason = REASON_METHOD_REFUSED, .request_id = "id", .allow = allow},
        &out);
    assert_non_null(strstr(out.data, line));
    buffer_clear(&out);
}

/* What the statuses owe the client (RFC 9110 sections 10.2.1, 11.6.1, 7.8; RFC 6455 section 4.4).
 */
TEST(test_status_headers)
{
    expect_header(REASON_CREDENTIAL_MISSING, "\r\nWWW-Authenticate: Bearer");
    expect_header(REASON_SESSION_REVOKED, "\r\nWWW-Authenticate: Bearer");
    expect_header(REASON_METHOD_REFUSED, "\r\nAllow: GET\r\n");
    expect_allow("POST, DELETE", "\r\nAllow: POST, DELETE\r\n");
    expect_header(REASON_WEBSOCKET_VERSION, "\r\nSec-WebSocket-Version: 13\r\n");
    expect_header(REASON_UPGRADE_REQUIRED, "\r\nUpgrade: websocket\r\n");
    expect_header(REASON_UPGRADE_REQUIRED, "\r\nConnection: Upgrade, close\r\n");
    expect_header(REASON_CAPACITY, "\r\nRetry-After: ");
    expect_header(REASON_ORIGIN_MISMATCH, "HTTP/1.1 403 Forbidden\r\n");
    expect_header(REASON_ORIGIN_MISMATCH, "\r\nCache-Control: no-store\r\n");
}

TEST(test_denial_that_does_not_fit)
{
    struct buffer out;

    buffer_init(&out, 100);
    http_denial_write(&(struct http_denial){.reason = REASON_MALFORMED, .request_id = "id"}, &out);
    assert_true(buffer_failed(&out));
    buffer_clear(&out);
}

static void write_page(enum reason reason, const char *request_id, const char *surface,
                       struct buffer *out)
{
    buffer_init(out, HTTP_HEAD_BYTES_MAX);
    http_denial_write(
        &(struct http_denial){
            .reason = reason, .request_id = request_id, .page = true, .surface = surface},
        out);
    assert_false(buffer_failed(out));
}

/* The hash that a directive names must be of the one element that it permits. */
static void expect_hash(const char *response, const char *directive, const char *open_tag,
                        const char *close_tag)
{
    unsigned char digest[SHA256_BYTES];
    char base64[4 * ((SHA256_BYTES + 2) / 3) + 1], wanted[128];
    const char *from = strstr(response, open_tag), *to = strstr(response, close_tag);

    assert_non_null(from);
    assert_non_null(to);
    from += strlen(open_tag);
    assert_null(strstr(from, open_tag));
    secret_sha256(from, (size_t)(to - from), digest);
    text_base64(digest, sizeof(digest), base64);
    snprintf(wanted, sizeof(wanted), "; %s 'sha256-%s'", directive, base64);
    assert_non_null(strstr(response, wanted));
}

TEST(test_pages)
{
    for (int reason = 0; reason < REASON_COUNT; reason++) {
        struct http_response response;
        struct buffer out;
        struct span value;

        if (reason == REASON_ALLOWED)
            continue;
        write_page((enum reason)reason, "0a1b", "studio", &out);
        assert_int_equal(http_response_parse(out.data, out.length, &response), HTTP_COMPLETE);
        assert_int_equal(http_fields_single(&response.fields, "content-length", &value),
                         REASON_ALLOWED);
        assert_int_equal(strtoul(value.data, NULL, 10), out.length - response.head_bytes);
        assert_int_equal(http_fields_single(&response.fields, "content-type", &value),
                         REASON_ALLOWED);
        assert_true(span_equals(value, "text/html; charset=utf-8"));
        assert_non_null(strstr(out.data, reason_info((enum reason)reason)->code));
        assert_non_null(strstr(out.data, "<dd>0a1b</dd>"));
        /* Nothing runs, nothing is loaded, nobody frames it. */
        assert_non_null(strstr(out.data, "Content-Security-Policy: default-src 'none'; "));
        assert_non_null(strstr(out.data, "frame-ancestors 'none'"));
        assert_null(strstr(out.data, "script"));
        assert_null(strstr(out.data, "http://"));
        assert_null(strstr(out.data, "https://"));
        assert_null(strstr(out.data, "{title}"));
        expect_hash(out.data, "style-src", "<style>", "</style>");
        buffer_clear(&out);
    }
}

static void expect_on_page(enum reason reason, const char *surface, const char *text)
{
    struct buffer out;

    write_page(reason, "id", surface, &out);
    if (strstr(out.data, text) == NULL)
        fail_msg("%s lacks %s", reason_info(reason)->code, text);
    buffer_clear(&out);
}

/* What a person can do, and no more than they may know. */
TEST(test_advice)
{
    struct buffer out;

    expect_on_page(REASON_CREDENTIAL_MISSING, "studio",
                   "<p class=\"run\">sidelock open studio</p>");
    expect_on_page(REASON_SESSION_EXPIRED, "studio", "<h1>Log in to studio</h1>");
    expect_on_page(REASON_SESSION_EXPIRED, NULL, "<h1>Log in to this service</h1>");
    expect_on_page(REASON_SURFACE_KILLED, "studio", "sidelock arm studio");
    expect_on_page(REASON_ROUTE_UNKNOWN, "studio", "<p class=\"run\"></p>");
    expect_on_page(REASON_METHOD_REFUSED, "studio", "<h1>Method Not Allowed</h1>");
    write_page(REASON_HOST_MISMATCH, "id", "studio", &out);
    assert_null(strstr(out.data, "studio"));
    buffer_clear(&out);
}

TEST(test_page_escapes)
{
    struct buffer out;

    write_page(REASON_CREDENTIAL_MISSING, "<script>'\"&", "{a}<b>", &out);
    assert_non_null(strstr(out.data, "&lt;script&gt;&#39;&quot;&amp;"));
    assert_non_null(strstr(out.data, "<title>Log in to {a}&lt;b&gt;</title>"));
    assert_null(strstr(out.data, "<script>"));
    assert_null(strstr(out.data, "<b>"));
    buffer_clear(&out);
}

TEST(test_page_for_head)
{
    struct buffer out;

    buffer_init(&out, HTTP_HEAD_BYTES_MAX);
    http_denial_write(&(struct http_denial){.reason = REASON_CREDENTIAL_MISSING,
                                            .request_id = "id",
                                            .page = true,
                                            .head_only = true},
                      &out);
    assert_null(strstr(out.data, "<"));
    buffer_clear(&out);
}

static void expect_wanted(const char *headers, bool page)
{
    struct http_request request;
    enum reason fault;
    char text[1024];

    snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    assert_int_equal(http_request_parse(text, strlen(text), &request, &fault), HTTP_COMPLETE);
    if (http_denial_wants_page(&request) != page)
        fail_msg("%s", headers);
}

TEST(test_who_wants_a_page)
{
    struct http_request nothing = {0};

    expect_wanted("Sec-Fetch-Mode: navigate\r\n", true);
    expect_wanted("Sec-Fetch-Mode: navigate\r\nAccept: */*\r\n", true);
    expect_wanted("Accept: text/html\r\n", true);
    expect_wanted("Accept: application/json, Text/HTML ;q=0.9,*/*\r\n", true);
    expect_wanted("", false);
    expect_wanted("Accept: */*\r\n", false);
    expect_wanted("Accept: application/json, text/event-stream\r\n", false);
    expect_wanted("Accept: text/htmlx, xtext/html\r\n", false);
    expect_wanted("Sec-Fetch-Mode: cors\r\nAccept: text/html\r\n", false);
    expect_wanted("Sec-Fetch-Mode: no-cors\r\nAccept: text/html\r\n", false);
    expect_wanted("Sec-Fetch-Mode: websocket\r\nAccept: text/html\r\n", false);
    expect_wanted("Sec-Fetch-Mode: navigate\r\nSec-Fetch-Mode: navigate\r\n", false);
    expect_wanted("Accept: text/html\r\nAccept: text/html\r\n", false);
    assert_false(http_denial_wants_page(&nothing));
}
