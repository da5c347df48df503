/* probe_request.c: who may read the telemetry page, and what it says. */
#include "worker/probes/probe_request.h"

#include "base/unready.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static char *names[] = {(char *)"gate.internal", (char *)"scraped:9464"};
static const struct text_list hosts = {.items = names, .count = 2};

static struct probe_verdict judge(const char *text)
{
    static struct http_request request;
    enum reason reason;

    assert_int_equal(http_request_parse(text, strlen(text), &request, &reason), HTTP_COMPLETE);
    return probe_request_judge(&request, &hosts);
}

static unsigned status_of(const char *text)
{
    struct probe_verdict verdict = judge(text);

    return verdict.page != PROBE_NONE ? 200 : verdict.status;
}

#define GET(host, more) "GET /metrics HTTP/1.1\r\nHost: " host "\r\n" more "\r\n"

TEST(test_hosts)
{
    static const char *const good[] = {
        GET("localhost:9464", ""), GET("LocalHost", ""),          GET("127.0.0.1:9464", ""),
        GET("[::1]:9464", ""),     GET("192.0.2.7:9464", ""),     GET("[2001:db8::1]", ""),
        GET("gate.internal", ""),  GET("gate.internal:1234", ""), GET("scraped:9464", "")};
    static const char *const bad[] = {GET("evil.example", ""),
                                      GET("localhost.evil.example:9464", ""),
                                      GET("127.0.0.1.evil.example", ""),
                                      GET("[localhost", ""),
                                      GET("", ""),
                                      GET("scraped:1", ""),
                                      GET("localhost", "Host: evil.example\r\n"),
                                      "GET /metrics HTTP/1.1\r\n\r\n"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(status_of(good[i]), 200);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(status_of(bad[i]), 403);
}

TEST(test_pages_of_others)
{
    assert_int_equal(status_of(GET("localhost", "Origin: http://evil.example\r\n")), 403);
    assert_int_equal(status_of(GET("localhost", "Origin: null\r\n")), 403);
    assert_int_equal(status_of(GET("localhost", "Sec-Fetch-Site: cross-site\r\n")), 403);
    assert_int_equal(status_of(GET("localhost", "Sec-Fetch-Site: same-site\r\n")), 403);
    assert_int_equal(status_of(GET("localhost", "Sec-Fetch-Site: none\r\n")), 200);
}

TEST(test_methods_and_paths)
{
#define ASK(line) status_of(line " HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert_int_equal(ASK("POST /metrics"), 405);
    assert_int_equal(ASK("OPTIONS /metrics"), 405);
    assert_int_equal(ASK("HEAD /readyz"), 200);
    assert_int_equal(ASK("GET /healthz?full=1"), 200);
    assert_int_equal(ASK("GET /"), 404);
    assert_int_equal(ASK("GET /metrics/"), 404);
    assert_int_equal(ASK("GET /%6detrics"), 404);
    assert_int_equal(status_of(GET("localhost", "Content-Length: 1\r\n")), 400);
    assert_int_equal(status_of(GET("localhost", "Transfer-Encoding: chunked\r\n")), 400);
    assert_int_equal(status_of(GET("localhost", "Content-Length: 0\r\n")), 200);
}

static const char *answer_to(const char *text, const struct probe_facts *facts)
{
    static char kept[4096];
    struct probe_verdict verdict = judge(text);
    struct buffer out;

    buffer_init(&out, sizeof(kept));
    probe_request_answer(&verdict, facts, &out);
    assert_false(buffer_failed(&out));
    snprintf(kept, sizeof(kept), "%.*s", (int)out.length, out.data);
    buffer_clear(&out);
    return kept;
}

static void expect(const char *path, const struct probe_facts *facts, const char *status,
                   const char *body)
{
    char request[128];
    const char *answer;

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    answer = answer_to(request, facts);
    assert_int_equal(strncmp(answer + strlen("HTTP/1.1 "), status, strlen(status)), 0);
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, body);
    assert_non_null(strstr(answer, "\r\nCache-Control: no-store\r\n"));
    assert_null(strstr(answer, "Access-Control"));
}

TEST(test_answers)
{
    const struct probe_facts unknown = {.known = false};
    struct probe_facts facts = {.known = true, .metrics = {"a 1\n", 4}};

    expect("/metrics", &facts, "200", "a 1\n");
    expect("/healthz", &facts, "200", "ok\n");
    expect("/readyz", &facts, "200", "ok\n");
    facts.unready = 1U << UNREADY_KILLED | 1U << UNREADY_AUDIT;
    expect("/healthz", &facts, "200", "ok\n");
    expect("/readyz", &facts, "503",
           "not ready: every surface is killed; the audit log cannot be written\n");
    facts.metrics = (struct span){NULL, 0};
    expect("/metrics", &facts, "503", "the metrics cannot be had for now\n");
    expect("/healthz", &unknown, "503", "the broker does not answer\n");
    assert_non_null(strstr(answer_to("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", &facts),
                           "Content-Length: 3\r\n"));
    assert_null(
        strstr(answer_to("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", &facts), "ok"));
    assert_non_null(strstr(answer_to("PUT /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", &facts),
                           "Allow: GET, HEAD\r\n"));
}
