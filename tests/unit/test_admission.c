/* admission.c: each step of the decision, one question at a time. */
#include "policy/admission.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct text_list *list, const char *const *items)
{
    for (; *items != NULL; items++)
        assert_int_equal(text_list_add(list, *items, strlen(*items)), OK);
}

static void expect(enum reason given, enum reason wanted)
{
    assert_string_equal(reason_info(given)->code, reason_info(wanted)->code);
}

TEST(test_callers)
{
    uint32_t uids[] = {0, 1000};
    struct surface surface = {.caller_uids = uids, .caller_uid_count = 2, .callers_named = true};
    struct request request = {.caller_known = true, .caller_uid = 1000};

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

/* Whoever he is: an address that is not known is of no network. */
TEST(test_caller_networks)
{
    struct config_network network = {.bits = 0};
    uint8_t inside[16], outside[16];
    uint32_t uids[] = {1000};
    struct surface surface = {.caller_networks = &network, .caller_network_count = 1};
    struct request request = {.caller_known = true, .caller_uid = 1000};

    assert_true(config_network_parse("172.18.0.0/16", &network));
    assert_true(config_address_parse("172.18.0.9", inside));
    assert_true(config_address_parse("172.19.0.9", outside));
    expect(admission_caller(&surface, &request), REASON_CALLER_NETWORK);
    request.peer = outside;
    expect(admission_caller(&surface, &request), REASON_CALLER_NETWORK);
    request.peer = inside;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    /* It is one rule of several. */
    surface.caller_uids = uids;
    surface.caller_uid_count = 1;
    surface.callers_named = true;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request.caller_uid = 1001;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    surface = (struct surface){0};
    request.peer = NULL;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
}

TEST(test_caller_groups)
{
    uint32_t uids[] = {1000}, gids[] = {27, 100}, in_one[] = {1001, 100}, in_none[] = {1001, 1000};
    struct surface surface = {.caller_gids = gids, .caller_gid_count = 2, .callers_named = true};
    struct request request = {.caller_known = true, .caller_uid = 1001};
    uint32_t gid = 0;

    /* What is not known is no empty list. */
    expect(admission_caller(&surface, &request), REASON_CALLER_GROUPS);
    request.caller_gids = in_one;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    request.caller_gid_count = 2;
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    assert_true(admission_caller_group(&surface, in_one, 2, &gid));
    assert_int_equal(gid, 100);
    /* A uid is no gid. */
    request.caller_gids = in_none;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    request.caller_uid = 27;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    /* Whoever is named needs no group; whoever is not known has none. */
    surface.caller_uids = uids;
    surface.caller_uid_count = 1;
    request = (struct request){.caller_known = true, .caller_uid = 1000};
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request = (struct request){.caller_gids = in_one, .caller_gid_count = 2};
    expect(admission_caller(&surface, &request), REASON_CALLER_UNKNOWN);
}

/* A program takes away, and never gives. */
TEST(test_caller_program)
{
    uint32_t uids[] = {1000};
    struct surface surface = {.caller_uids = uids, .caller_uid_count = 1, .callers_named = true};
    struct request request = {
        .caller_known = true, .caller_uid = 1000, .caller_program = "/usr/bin/curl"};

    fill(&surface.caller_executables, (const char *[]){"/usr/bin/curl", "/usr/bin/node", NULL});
    expect(admission_caller(&surface, &request), REASON_ALLOWED);
    request.caller_uid = 1001;
    expect(admission_caller(&surface, &request), REASON_CALLER_MISMATCH);
    request.caller_known = false;
    expect(admission_caller(&surface, &request), REASON_CALLER_UNKNOWN);
    request = (struct request){.caller_known = true, .caller_uid = 1000};
    assert_int_equal(admission_caller(&surface, &request), REASON_PROGRAM_UNKNOWN);
    request.caller_program = "/usr/bin/curl2";
    assert_int_equal(admission_caller(&surface, &request), REASON_PROGRAM_REFUSED);
    text_list_clear(&surface.caller_executables);
}

TEST(test_paths)
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

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (admission_path_matches(cases[i].pattern, cases[i].path) != cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].path);
    }
}

/* NULL: none, or more than one. */
static const struct route *route_of(const struct surface *surface, const char *path, bool upgrade)
{
    const struct route *route;
    enum reason reason = admission_route(surface, path, upgrade, &route);

    assert_true(reason_allows(reason) == (route != NULL));
    return route;
}

TEST(test_route)
{
    char exact[] = "/api/ws", named[] = "/api/{id}", other[] = "/other";
    struct route routes[] = {{.path = exact}, {.path = named}, {.path = other}};
    struct surface surface = {.routes = routes, .route_count = 3};

    assert_ptr_equal(route_of(&surface, "/api/ws", true), &routes[0]);
    assert_ptr_equal(route_of(&surface, "/api/x", true), &routes[1]);
    assert_ptr_equal(route_of(&surface, "/other", true), &routes[2]);
    assert_null(route_of(&surface, "/", true));
    assert_null(route_of(&surface, "/none", true));
    surface.route_count = 0;
    assert_null(route_of(&surface, "/other", true));
}

/* An upgrade is for the WebSocket of a path, the rest for its other route. */
TEST(test_route_of_either_kind)
{
    char path[] = "/mcp", rest[] = "/{any...}";
    struct route routes[] = {{.path = path, .kind = ROUTE_WEBSOCKET},
                             {.path = path, .kind = ROUTE_MCP_HTTP},
                             {.path = rest, .kind = ROUTE_HTTP}};
    struct surface surface = {.routes = routes, .route_count = 3};

    assert_ptr_equal(route_of(&surface, "/mcp", true), &routes[0]);
    assert_ptr_equal(route_of(&surface, "/mcp", false), &routes[1]);
    assert_ptr_equal(route_of(&surface, "/x/y", false), &routes[2]);
    /* There is only one: the method check says what is wrong. */
    assert_ptr_equal(route_of(&surface, "/x/y", true), &routes[2]);
    surface.route_count = 1;
    assert_ptr_equal(route_of(&surface, "/mcp", false), &routes[0]);
}

/* A closed route hides those after it, from either kind of request. */
TEST(test_closed_route)
{
    char socket[] = "/api/ws/{id}", shut[] = "/api/ws/{any...}", any[] = "/api/{any...}";
    char late[] = "/api/ws/a/b";
    struct route routes[] = {{.path = socket, .kind = ROUTE_WEBSOCKET},
                             {.path = shut, .kind = ROUTE_CLOSED},
                             {.path = any, .kind = ROUTE_HTTP},
                             {.path = late, .kind = ROUTE_WEBSOCKET}};
    struct surface surface = {.routes = routes, .route_count = 4};

    assert_ptr_equal(route_of(&surface, "/api/ws/1", true), &routes[0]);
    assert_ptr_equal(route_of(&surface, "/api/ws/1", false), &routes[0]);
    assert_null(route_of(&surface, "/api/ws/a/b", true));
    assert_null(route_of(&surface, "/api/ws/a/b", false));
    assert_null(route_of(&surface, "/api/ws/", false));
    assert_ptr_equal(route_of(&surface, "/api/ws", false), &routes[2]);
    assert_ptr_equal(route_of(&surface, "/api/x", false), &routes[2]);
}

static void expect_methods(const struct route *route, const char *wanted)
{
    struct buffer out;

    buffer_init(&out, 256);
    admission_methods(route, &out);
    assert_string_equal(out.data, wanted);
    buffer_clear(&out);
}

TEST(test_methods)
{
    struct route route = {.kind = ROUTE_WEBSOCKET};

    expect_methods(&route, "GET");
    route.kind = ROUTE_MCP_HTTP;
    expect_methods(&route, "POST, GET, DELETE");
    route.kind = ROUTE_HTTP;
    fill(&route.methods, (const char *[]){"PUT", "PATCH", NULL});
    expect_methods(&route, "PUT, PATCH");
    text_list_clear(&route.methods);
    fill(&route.methods, (const char *[]){"HEAD", "GET", NULL});
    expect_methods(&route, "HEAD, GET");
    text_list_clear(&route.methods);
}

TEST(test_http_method)
{
    struct route route = {.kind = ROUTE_HTTP};
    struct request request = {.method = "POST"};

    fill(&route.methods, (const char *[]){"POST", "GET", NULL});
    expect_methods(&route, "POST, GET, HEAD");
    expect(admission_method(&route, &request), REASON_ALLOWED);
    request.method = "HEAD";
    expect(admission_method(&route, &request), REASON_ALLOWED);
    request.method = "DELETE";
    expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    request.method = "post";
    expect(admission_method(&route, &request), REASON_METHOD_REFUSED);
    request.method = "GET";
    request.upgrade = true;
    expect(admission_method(&route, &request), REASON_UPGRADE_ROUTE);
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

TEST(test_method)
{
    static const char *const refused[] = {"HEAD",  "POST",  "PUT", "DELETE", "CONNECT", "OPTIONS",
                                          "TRACE", "PATCH", "get", "Get",    "GETS",    ""};
    struct route route = {.kind = ROUTE_WEBSOCKET};
    struct request request = {.method = "GET", .upgrade = true};

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

TEST(test_subprotocols)
{
    struct route route = {0};

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

    route = (struct route){.any_subprotocol = true};
    expect_offer(&route, "mcp, other, sidelock.ticket.T0", REASON_ALLOWED, "mcp, other");
    expect_offer(&route, "mcp, mcp", REASON_HEADER_INVALID, NULL);
    expect_offer(&route, "mcp x", REASON_HEADER_INVALID, NULL);

    /* A route that speaks none: whoever offers some is told so. */
    route = (struct route){0};
    expect_offer(&route, NULL, REASON_ALLOWED, "");
    expect_offer(&route, "sidelock.ticket.T0", REASON_ALLOWED, "");
    expect_offer(&route, "mcp", REASON_SUBPROTOCOL_MISMATCH, NULL);
}

TEST(test_subprotocol_limits)
{
    struct route route = {0};
    char longest[ADMISSION_SUBPROTOCOL_BYTES_MAX + 2], many[256] = "a";

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
