/* admission.c: each step of the decision, one question at a time. */
#include "policy/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct admission_listener v4 = {"127.0.0.1", 8081};
static const struct admission_listener v6 = {"::1", 8081};
static const struct admission_listener http = {"127.0.0.1", 80};
static const struct admission_listener lan = {"192.168.7.5", 8081};

static void fill(struct text_list *list, const char *const *items)
{
    for (; *items != NULL; items++)
        assert_int_equal(text_list_add(list, *items, strlen(*items)), OK);
}

static void expect(enum reason given, enum reason wanted)
{
    assert_string_equal(reason_info(given)->code, reason_info(wanted)->code);
}

struct host_case {
    const struct admission_listener *listener;
    const char *value;
    bool good;
};

static void test_default_hosts(void **state)
{
    static const struct host_case cases[] = {
        {&v4, "localhost:8081", true},
        {&v4, "LocalHost:8081", true},
        {&v4, "127.0.0.1:8081", true},
        {&v4, "[::1]:8081", true},
        {&v6, "localhost:8081", true},
        {&v6, "127.0.0.1:8081", true},
        {&http, "localhost", true},
        {&http, "localhost:80", true},
        {&http, "[::1]", true},
        {&lan, "192.168.7.5:8081", true},
        {&v4, "192.168.7.5:8081", false},
        {&v4, "", false},
        {&v4, "localhost", false}, /* port 80 is meant, and this is not port 80 */
        {&v4, "127.0.0.1", false},
        {&v4, "[::1]", false},
        {&v4, ":8081", false},
        {&v4, "localhost:", false},
        {&v4, "localhost:8082", false},
        {&v4, "localhost:08081", false},
        {&v4, "localhost:8081 ", false},
        {&v4, " localhost:8081", false},
        {&v4, "localhost:80810", false},
        {&v4, "localhost:+8081", false},
        {&v4, "localhost.:8081", false},
        {&v4, "localhost.localdomain:8081", false},
        {&v4, "localhost.attacker.example:8081", false},
        {&v4, "attacker.example:8081", false},
        {&v4, "xlocalhost:8081", false},
        {&v4, "user@localhost:8081", false},
        {&v4, "user:secret@localhost:8081", false},
        {&v4, "localhost:8081@attacker.example", false},
        {&v4, "localhost:8081/", false},
        {&v4, "localhost:8081,attacker.example", false},
        {&v4, "attacker.example, localhost:8081", false},
        {&v4, "http://localhost:8081", false},
        {&v4, "127.1:8081", false},
        {&v4, "127.0.0.2:8081", false},
        {&v4, "0177.0.0.1:8081", false},
        {&v4, "2130706433:8081", false},
        {&v4, "0.0.0.0:8081", false},
        {&v4, "::1:8081", false},
        {&v4, "[::1%25lo]:8081", false},
        {&v4, "[::1%lo]:8081", false},
        {&v4, "[0:0:0:0:0:0:0:1]:8081", false},
        {&v4, "[::ffff:127.0.0.1]:8081", false},
        {&v4, "[::]:8081", false},
        {&http, "localhost:", false},
        {&http, "localhost.", false},
        {&http, "localhost:8081", false},
        {&http, "localhost:443", false},
    };
    struct surface surface = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum reason reason = admission_host(&surface, cases[i].listener, cases[i].value);

        if (reason != (cases[i].good ? REASON_ALLOWED : REASON_HOST_MISMATCH))
            fail_msg("%s on %s: %s", cases[i].value, cases[i].listener->address,
                     reason_info(reason)->code);
    }
    expect(admission_host(&surface, &v4, NULL), REASON_MALFORMED);
}

static void test_configured_hosts(void **state)
{
    struct surface surface = {0};

    (void)state;
    fill(&surface.hosts, (const char *[]){"gate.example", "other.example:9000", "[fe80::1]", NULL});
    expect(admission_host(&surface, &v4, "gate.example:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "GATE.example:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "other.example:9000"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "[fe80::1]:8081"), REASON_ALLOWED);
    expect(admission_host(&surface, &http, "gate.example"), REASON_ALLOWED);
    expect(admission_host(&surface, &v4, "gate.example"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "gate.example:9000"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "other.example:8081"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &http, "other.example"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "[fe80::1]"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "a.gate.example:8081"), REASON_HOST_MISMATCH);
    /* A list replaces the defaults. */
    expect(admission_host(&surface, &v4, "localhost:8081"), REASON_HOST_MISMATCH);
    expect(admission_host(&surface, &v4, "127.0.0.1:8081"), REASON_HOST_MISMATCH);
    text_list_clear(&surface.hosts);
}

static void test_default_origins(void **state)
{
    static const struct host_case cases[] = {
        {&v4, "http://localhost:8081", true},
        {&v4, "http://127.0.0.1:8081", true},
        {&v6, "http://[::1]:8081", true},
        {&http, "http://localhost", true},
        {&v4, "", false},
        {&v4, "null", false},
        {&v4, "*", false},
        {&v4, "localhost:8081", false},
        {&v4, "//localhost:8081", false},
        {&v4, "http://", false},
        {&v4, "http:localhost:8081", false},
        {&v4, "https://localhost:8081", false},
        {&v4, "ws://localhost:8081", false},
        {&v4, "file://localhost:8081", false},
        {&v4, "chrome-extension://localhost:8081", false},
        {&v4, "http://localhost", false},
        {&v4, "http://localhost:8080", false},
        {&v4, "http://localhost:3000", false},
        {&v4, "http://localhost:8081/", false},
        {&v4, "http://localhost:8081/path", false},
        {&v4, "http://localhost:8081#", false},
        {&v4, "http://localhost:8081?", false},
        {&v4, "http://localhost:8081 ", false},
        {&v4, "http://localhost:8081 http://attacker.example", false},
        {&v4, "http://attacker.example http://localhost:8081", false},
        {&v4, "http://localhost:8081,http://attacker.example", false},
        {&v4, "http://user@localhost:8081", false},
        {&v4, "http://localhost:8081@attacker.example", false},
        {&v4, "http://a.localhost:8081", false},
        {&v4, "http://localhost.attacker.example:8081", false},
        {&v4, "http://localhost.:8081", false},
        {&v4, "http://attacker.example", false},
        {&v4, "http://attacker.example:8081", false},
        {&v4, "http://127.0.0.2:8081", false},
        {&v4, "http://LOCALHOST:8081", false},
        {&v4, "HTTP://localhost:8081", false},
        {&http, "https://localhost", false},
        {&http, "http://localhost/", false},
    };
    struct surface surface = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum reason reason = admission_origin(&surface, cases[i].listener, cases[i].value);

        if (reason != (cases[i].good ? REASON_ALLOWED : REASON_ORIGIN_MISMATCH))
            fail_msg("%s: %s", cases[i].value, reason_info(reason)->code);
    }
    expect(admission_origin(&surface, &v4, NULL), REASON_ALLOWED); /* not a browser */
}

static void test_configured_origins(void **state)
{
    struct surface surface = {0};

    (void)state;
    fill(&surface.origins, (const char *[]){"https://studio.example", "http://a.example:1", NULL});
    expect(admission_origin(&surface, &v4, "https://studio.example"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://a.example:1"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, NULL), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://studio.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://studio.example:443"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://studio.example/"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://x.studio.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "https://Studio.example"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "http://localhost:8081"), REASON_ORIGIN_MISMATCH);
    expect(admission_origin(&surface, &v4, "null"), REASON_ORIGIN_MISMATCH);
    text_list_clear(&surface.origins);
    /* Without origins, those of the configured hosts. */
    fill(&surface.hosts, (const char *[]){"gate.example", NULL});
    expect(admission_origin(&surface, &v4, "http://gate.example:8081"), REASON_ALLOWED);
    expect(admission_origin(&surface, &v4, "http://localhost:8081"), REASON_ORIGIN_MISMATCH);
    text_list_clear(&surface.hosts);
}

static void test_callers(void **state)
{
    uint32_t uids[] = {0, 1000};
    struct surface surface = {.caller_uids = uids, .caller_uid_count = 2, .callers_named = true};
    struct request request = {.caller_known = true, .caller_uid = 1000};

    (void)state;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request.caller_uid = 0;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request.caller_uid = 1001;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    /* A failed look-up leaves 0 behind, which is not root. */
    request = (struct request){0};
    expect(admission_caller(&surface, &request), REASON_CALLER_UNKNOWN);
    surface.callers_named = false;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    surface = (struct surface){.callers_named = true};
    request = (struct request){.caller_known = true};
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
}

static void test_paths(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {
        {"/", "/", true},
        {"/ws", "/ws", true},
        {"/api/mcp/ws/{sid}", "/api/mcp/ws/12", true},
        {"/{a}/{b}", "/x/y", true},
        {"/{a}/b", "/x/b", true},
        {"/a/", "/a/", true},
        {"/{a}/", "/x/", true},
        {"/{}", "/x", true},
        {"/{a}", "/{a}", true},
        {"/{", "/{", true},
        {"/{a}b", "/{a}b", true},
        {"/{any...}", "/", true},
        {"/{any...}", "/a/b/", true},
        {"/a/{any...}", "/a/", true},
        {"/a/{any...}", "/a/b", true},
        {"/a/{any...}", "/a", false},
        {"/a/{any...}", "/b/c", false},
        {"/", "", false},
        {"/", "//", false},
        {"/ws", "/", false},
        {"/ws", "/WS", false},
        {"/ws", "/ws/", false},
        {"/ws", "/wsx", false},
        {"/ws", "/w", false},
        {"/ws", "ws", false},
        {"/ws", "/ws?x", false},
        {"/a/", "/a", false},
        {"/{a}", "/", false},
        {"/{a}", "/x/y", false},
        {"/{a}", "/x/", false},
        {"/{a}/b", "//b", false},
        {"/{a}b", "/xb", false},
        {"/b{a}", "/bx", false},
        {"/{", "/x", false},
        {"/api/mcp/ws/{sid}", "/api/mcp/ws/", false},
        {"/api/mcp/ws/{sid}", "/api/mcp/ws", false},
        {"/api/mcp/ws/{sid}", "/api/mcp/ws/12/more", false},
        {"/api/mcp/ws/{sid}", "/api/mcp/wx/12", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (admission_path_matches(cases[i].pattern, cases[i].path) != cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].path);
    }
}

static void test_route(void **state)
{
    char exact[] = "/api/ws", named[] = "/api/{id}", other[] = "/other";
    struct route routes[] = {{.path = exact}, {.path = named}, {.path = other}};
    struct surface surface = {.routes = routes, .route_count = 3};

    (void)state;
    assert_ptr_equal(admission_route(&surface, "/api/ws", true), &routes[0]);
    assert_ptr_equal(admission_route(&surface, "/api/x", true), &routes[1]);
    assert_ptr_equal(admission_route(&surface, "/other", true), &routes[2]);
    assert_null(admission_route(&surface, "/", true));
    assert_null(admission_route(&surface, "/none", true));
    surface.route_count = 0;
    assert_null(admission_route(&surface, "/other", true));
}

/* An upgrade is for the WebSocket of a path, the rest for its other route. */
static void test_route_of_either_kind(void **state)
{
    char path[] = "/mcp", rest[] = "/{any...}";
    struct route routes[] = {{.path = path, .kind = ROUTE_WEBSOCKET},
                             {.path = path, .kind = ROUTE_MCP_HTTP},
                             {.path = rest, .kind = ROUTE_HTTP}};
    struct surface surface = {.routes = routes, .route_count = 3};

    (void)state;
    assert_ptr_equal(admission_route(&surface, "/mcp", true), &routes[0]);
    assert_ptr_equal(admission_route(&surface, "/mcp", false), &routes[1]);
    assert_ptr_equal(admission_route(&surface, "/x/y", false), &routes[2]);
    /* There is only one: the method check says what is wrong. */
    assert_ptr_equal(admission_route(&surface, "/x/y", true), &routes[2]);
    surface.route_count = 1;
    assert_ptr_equal(admission_route(&surface, "/mcp", false), &routes[0]);
}

static void test_http_method(void **state)
{
    struct route route = {.kind = ROUTE_HTTP};
    struct request request = {.method = "POST"};

    (void)state;
    fill(&route.methods, (const char *[]){"POST", "GET", NULL});
    expect(admission_method(&route, &request), REASON_ALLOWED);
    request.method = "HEAD";
    expect(admission_method(&route, &request), REASON_ALLOWED);
    request.method = "DELETE";
    expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    request.method = "post";
    expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    request.method = "GET";
    request.upgrade = true;
    expect(admission_method(&route, &request), REASON_UPGRADE_INVALID);
    text_list_clear(&route.methods);
    fill(&route.methods, (const char *[]){"POST", NULL});
    request = (struct request){.method = "HEAD"};
    expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    text_list_clear(&route.methods);
    route.kind = ROUTE_MCP_HTTP;
    expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    request.method = "DELETE";
    expect(admission_method(&route, &request), REASON_ALLOWED);
}

static void test_method(void **state)
{
    static const char *const refused[] = {"HEAD",  "POST",  "PUT", "DELETE", "CONNECT", "OPTIONS",
                                          "TRACE", "PATCH", "get", "Get",    "GETS",    ""};
    struct route route = {.kind = ROUTE_WEBSOCKET};
    struct request request = {.method = "GET", .upgrade = true};

    (void)state;
    expect(admission_method(&route, &request), REASON_ALLOWED);
    request.upgrade = false;
    expect(admission_method(&route, &request), REASON_UPGRADE_REQUIRED);
    request.upgrade = true;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        request.method = refused[i];
        expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    }
    route.kind = 0;
    request.method = "GET";
    assert_false(reason_allows(admission_method(&route, &request)));
}

static void expect_offer(const struct route *route, const char *sent, enum reason reason,
                         const char *offered)
{
    struct request request = {.subprotocols = sent};
    struct buffer offer;

    buffer_init(&offer, 1024);
    expect(admission_subprotocols(route, &request, &offer), reason);
    if (reason_allows(reason))
        assert_string_equal(offer.length > 0 ? offer.data : "", offered);
    buffer_clear(&offer);
}

static void test_subprotocols(void **state)
{
    struct route route = {0};

    (void)state;
    fill(&route.subprotocols, (const char *[]){"mcp", "v2.mcp", NULL});
    expect_offer(&route, NULL, REASON_ALLOWED, "");
    expect_offer(&route, "", REASON_ALLOWED, "");
    expect_offer(&route, "mcp", REASON_ALLOWED, "mcp");
    expect_offer(&route, "v2.mcp,mcp", REASON_ALLOWED, "v2.mcp, mcp");
    expect_offer(&route, " mcp\t, other ,, v2.mcp", REASON_ALLOWED, "mcp, v2.mcp");
    /* The ticket is for us: the service never sees it. */
    expect_offer(&route, "sidelock.ticket.T0", REASON_ALLOWED, "");
    expect_offer(&route, "mcp, sidelock.ticket.T0", REASON_ALLOWED, "mcp");
    expect_offer(&route, "sidelock.ticket.T0, other", REASON_SUBPROTOCOL_MISMATCH, NULL);
    expect_offer(&route, "other", REASON_SUBPROTOCOL_MISMATCH, NULL);
    expect_offer(&route, "MCP", REASON_SUBPROTOCOL_MISMATCH, NULL);
    expect_offer(&route, "mcp x", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "mcp;q=1", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "\"mcp\"", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "mcp, caf\xc3\xa9", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "sidelock.ticket.a/b", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "mcp, mcp", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "mcp, v2.mcp, mcp", REASON_HEADER_INVALID, NULL);
    route.subprotocol_required = true;
    expect_offer(&route, NULL, REASON_SUBPROTOCOL_MISMATCH, NULL);
    expect_offer(&route, "sidelock.ticket.T0", REASON_SUBPROTOCOL_MISMATCH, NULL);
    expect_offer(&route, "mcp", REASON_ALLOWED, "mcp");
    text_list_clear(&route.subprotocols);

    /* A route that speaks none: whoever offers some is told so. */
    route = (struct route){0};
    expect_offer(&route, NULL, REASON_ALLOWED, "");
    expect_offer(&route, "sidelock.ticket.T0", REASON_ALLOWED, "");
    expect_offer(&route, "mcp", REASON_SUBPROTOCOL_MISMATCH, NULL);
}

static void test_subprotocol_limits(void **state)
{
    struct route route = {0};
    char longest[ADMISSION_SUBPROTOCOL_BYTES_MAX + 2], many[256] = "a";

    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[ADMISSION_SUBPROTOCOL_BYTES_MAX] = '\0';
    fill(&route.subprotocols, (const char *[]){longest, "a", NULL});
    expect_offer(&route, longest, REASON_ALLOWED, longest);
    longest[ADMISSION_SUBPROTOCOL_BYTES_MAX] = 'a';
    longest[ADMISSION_SUBPROTOCOL_BYTES_MAX + 1] = '\0';
    expect_offer(&route, longest, REASON_HEADER_INVALID, NULL);
    for (size_t i = 1; i < ADMISSION_SUBPROTOCOLS_MAX; i++)
        strcat(many, ",b");
    expect_offer(&route, many, REASON_ALLOWED, "a");
    strcat(many, ",b");
    expect_offer(&route, many, REASON_HEADER_INVALID, NULL);
    text_list_clear(&route.subprotocols);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_hosts),   cmocka_unit_test(test_configured_hosts),
        cmocka_unit_test(test_default_origins), cmocka_unit_test(test_configured_origins),
        cmocka_unit_test(test_callers),         cmocka_unit_test(test_paths),
        cmocka_unit_test(test_route),           cmocka_unit_test(test_route_of_either_kind),
        cmocka_unit_test(test_http_method),     cmocka_unit_test(test_method),
        cmocka_unit_test(test_subprotocols),    cmocka_unit_test(test_subprotocol_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
