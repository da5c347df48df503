/*
 * steps.c: the gate and `sidelock explain` say the same of every request, at the
 * same step, and proxy/README.md quotes the table that both run.
 */
#define FIXTURE_STUDIO_KEYS                                                                        \
    ",\"routes\":[{\"path\":\"/ws\",\"kind\":\"websocket\",\"subprotocols\":[\"mcp\"],"            \
    "\"query\":{\"pass\":{\"id\":\"[0-9]{1,4}\"}}},"                                               \
    "{\"path\":\"/inject\",\"kind\":\"websocket\",\"query\":{\"inject\":{\"p\":{\"from\":\"\","    \
    "\"encoding\":\"json\"}}}},"                                                                   \
    "{\"path\":\"/shut/{any...}\",\"kind\":\"closed\"},"                                           \
    "{\"path\":\"/start\",\"kind\":\"http\",\"methods\":[\"POST\"],\"body\":{\"member\":\"s\","    \
    "\"from\":\"/command\"}},"                                                                     \
    "{\"path\":\"/{any...}\",\"kind\":\"http\",\"methods\":[\"GET\",\"POST\",\"DELETE\"]}]"

#include "operations_fixture.h"

#include "admission_cases.h"
#include "broker/admission/question.h"
#include "policy/explain.h"
#include "policy/login_cookie.h"
#include "vector_lines.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char session_ids[3][TOKEN_ID_SIZE]; /* plain, with a record, revoked */
static char bearers[3][sizeof("Bearer ") + TOKEN_BYTES_MAX];
static char cookie[LOGIN_COOKIE_VALUE_SIZE];

static int make(void **state)
{
    char token[TOKEN_BYTES_MAX + 1];
    struct broker_fixture *fixture;

    if (broker_fixture_make(state) != 0)
        return -1;
    fixture = *state;
    assert_int_equal(put(fixture, "everything", NULL, RECORD), OK);
    for (size_t i = 0; i < COUNT(bearers); i++) {
        assert_int_equal(create(fixture, i == 1 ? &with_record : &plain, session_ids[i], token),
                         OK);
        snprintf(bearers[i], sizeof(bearers[i]), "Bearer %s", token);
    }
    assert_int_equal(KEPT(fixture->gate.store, store_session_revoke, session_ids[2], fixture_now),
                     OK);
    assert_int_equal(
        login_cookie_make(store_cookie_key(fixture->gate.store), session_ids[0], cookie), OK);
    return 0;
}

/* The broker's way. */
static enum reason gate_decide(struct broker_fixture *fixture, const struct surface *surface,
                               const struct request *request,
                               const struct admission_listener *listener, enum step_id *id)
{
    struct question question = {.gate = &fixture->gate,
                                .surface = &fixture->gate.surfaces.items[0]};
    enum reason reason;

    question.steps = (struct steps){.surface = surface,
                                    .listener = *listener,
                                    .request = request,
                                    .kill_switch = question.surface->killed       ? SWITCH_ON
                                                   : question.surface->rehearsing ? SWITCH_REHEARSED
                                                                                  : SWITCH_OFF,
                                    .asks = &authenticate_asks,
                                    .context = &question};
    steps_init(&question.steps);
    reason = steps_decide(&question.steps, id);
    steps_clear(&question.steps);
    params_destroy(question.params);
    session_clear(&question.session);
    return reason;
}

static void fail_at(enum step_id id, const struct request *request, enum reason gate,
                    enum reason told)
{
    fail_msg("%s %s?%s, Host %s, Origin %s: at \"%s\" the gate says %s, explain %s",
             request->method, request->path, request->query, request->host, request->origin,
             steps_name(id), reason_info(gate)->code, reason_info(told)->code);
}

/*
 * Both say the same: up to the step that decides, whatever explain knows is
 * allowed, and what it does not know it says to be unknown.
 */
static enum reason judge(struct broker_fixture *fixture, const struct surface *surface,
                         const struct request *request, const struct admission_listener *listener,
                         enum step_id *id)
{
    static struct explanation told;
    struct request copy = *request;
    enum reason reason = gate_decide(fixture, surface, request, listener, id);
    size_t at = 0;

    explain_run(surface, request->path, &copy, NULL, &told);
    assert_string_equal(told.path, request->path);
    while (at < told.count && told.steps[at].id != *id) {
        if (!reason_allows(told.steps[at].reason))
            fail_at(told.steps[at].id, request, REASON_ALLOWED, told.steps[at].reason);
        assert_true(told.steps[at++].rule[0] != '\0');
    }
    if (at == told.count || (!told.steps[at].unknown && told.steps[at].reason != reason))
        fail_at(*id, request, reason, at < told.count ? told.steps[at].reason : REASON_INTERNAL);
    if (!reason_allows(reason) && !told.steps[at].unknown)
        assert_int_equal(told.verdict, reason);
    return reason;
}

static struct request good_request(void)
{
    return (struct request){.method = "GET",
                            .path = "/files/x",
                            .host = "localhost:8081",
                            .authorization = bearers[0],
                            .caller_known = true,
                            .caller_uid = 1000};
}

/* A surface as the fixture has it, but where and under which name it listens. */
static struct surface surface_at(const struct broker_fixture *fixture,
                                 const struct admission_listener *listener,
                                 struct listen_address *address)
{
    struct surface surface = fixture->config->surfaces[0];
    static char host[64];

    snprintf(host, sizeof(host), "%s", listener->address);
    *address = surface.listen[0];
    address->host = host;
    address->port = listener->port;
    surface.listen = address;
    return surface;
}

static void expect_step(struct broker_fixture *fixture, const struct request *request,
                        const struct admission_listener *listener, enum step_id step,
                        enum reason wanted)
{
    struct listen_address address;
    struct surface surface = surface_at(fixture, listener, &address);
    enum step_id id;
    enum reason reason = judge(fixture, &surface, request, listener, &id);

    if (reason != wanted || (!reason_allows(wanted) && id != step))
        fail_at(id, request, reason, wanted);
}

#define STEPS_TEST(test) TEST_BETWEEN(test, make, broker_fixture_drop)

STEPS_TEST(test_hosts)
{
    for (size_t i = 0; i < COUNT(host_cases); i++) {
        struct request request = good_request();

        request.host = host_cases[i].value;
        expect_step(*state, &request, host_cases[i].listener, STEP_HOST,
                    host_cases[i].good ? REASON_ALLOWED : REASON_HOST_MISMATCH);
    }
}

STEPS_TEST(test_origins)
{
    for (size_t i = 0; i < COUNT(origin_cases); i++) {
        struct request request = good_request();
        char host[64];

        snprintf(host, sizeof(host), "localhost:%u", origin_cases[i].listener->port);
        request.host = host;
        request.origin = origin_cases[i].value;
        expect_step(*state, &request, origin_cases[i].listener, STEP_ORIGIN,
                    origin_cases[i].good ? REASON_ALLOWED : REASON_ORIGIN_MISMATCH);
    }
}

STEPS_TEST(test_cookies)
{
    for (size_t i = 0; i < COUNT(cookie_cases); i++) {
        const struct cookie_case *asked = &cookie_cases[i];
        struct request request = good_request();
        bool origin = asked->origin == NULL ||
                      (strncmp(asked->origin, "http://", 7) == 0 &&
                       strcmp(asked->origin + strlen(asked->origin) - 5, ":8081") == 0);
        enum step_id step = origin ? STEP_COOKIE_ORIGIN : STEP_ORIGIN;

        request.method = asked->method;
        request.origin = asked->origin;
        request.fetch_site = asked->site;
        request.referer = asked->referer;
        request.upgrade = asked->upgrade;
        request.host = "Studio.localhost:8081";
        request.path = asked->upgrade ? "/ws" : "/files/x";
        request.authorization = NULL;
        request.cookie = cookie;
        if (asked->good && strcmp(asked->method, "HEAD") != 0)
            expect_step(*state, &request, &v4, step, REASON_ALLOWED);
        else if (!asked->good)
            expect_step(*state, &request, &v4, step,
                        origin ? REASON_COOKIE_ORIGIN : REASON_ORIGIN_MISMATCH);
    }
}

STEPS_TEST(test_forged_cookies)
{
    struct vector_line vector;

    vector_open(&vector, VECTORS_DIR "/cookies/forged.txt");
    while (vector_next(&vector, 2)) {
        struct request request = good_request();
        char value[1024];

        snprintf(value, sizeof(value), "%.*s", (int)vector.length, vector.text);
        if (strlen(value) != vector.length)
            continue; /* a NUL: no header brings it */
        request.authorization = NULL;
        request.cookie = value;
        request.fetch_site = "same-origin";
        expect_step(*state, &request, &v4, STEP_SESSION, REASON_COOKIE_INVALID);
    }
    vector_close(&vector);
}

/* What stands beside the good one locks nobody out; only between two good ones nobody chooses. */
STEPS_TEST(test_several_cookies)
{
    static const char zeros[] = "00112233445566778899aabbccddeeff."
                                "0000000000000000000000000000000000000000000000000000000000000000";
    struct broker_fixture *fixture = *state;
    const struct secret_key *key = store_cookie_key(fixture->gate.store);
    char revoked[LOGIN_COOKIE_VALUE_SIZE], other[LOGIN_COOKIE_VALUE_SIZE], text[1024];
    struct request request = good_request();
    const struct {
        const char *first, *second, *third;
        enum reason reason;
    } cases[] = {
        {zeros, cookie, "", REASON_ALLOWED},
        {cookie, zeros, "x", REASON_ALLOWED},
        {cookie, cookie, cookie, REASON_ALLOWED},
        {revoked, cookie, zeros, REASON_ALLOWED},
        {cookie, revoked, "", REASON_ALLOWED},
        {zeros, "", "y", REASON_COOKIE_INVALID},
        {zeros, revoked, "y", REASON_SESSION_REVOKED},
        {other, cookie, "", REASON_CREDENTIAL_AMBIGUOUS},
        {cookie, zeros, other, REASON_CREDENTIAL_AMBIGUOUS},
    };

    assert_int_equal(login_cookie_make(key, session_ids[2], revoked), OK);
    assert_int_equal(login_cookie_make(key, session_ids[1], other), OK);
    request.authorization = NULL;
    request.cookie = text;
    request.fetch_site = "same-origin";
    request.path = "/files/x";
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(text, sizeof(text), "%s;%s;%s;", cases[i].first, cases[i].second, cases[i].third);
        expect_step(fixture, &request, &v4, STEP_SESSION, cases[i].reason);
    }
}

STEPS_TEST(test_own_paths)
{
    for (size_t i = 0; i < COUNT(own_path_cases); i++) {
        struct request request = good_request();

        request.method = own_path_cases[i].method;
        request.path = own_path_cases[i].path;
        request.upgrade = own_path_cases[i].upgrade;
        if (!own_path_is(request.path))
            continue;
        if (own_path_cases[i].action == OWN_LOGIN)
            expect_step(*state, &request, &v4, STEP_OWN_ORIGIN, REASON_COOKIE_ORIGIN);
        else
            expect_step(*state, &request, &v4, STEP_OWN_PATH, own_path_cases[i].reason);
    }
}

/* Each step by what it alone refuses. */
STEPS_TEST(test_every_step)
{
    static const struct {
        enum step_id step;
        enum reason reason;
        struct request request; /* members that are not the good request's */
        size_t bearer;
    } cases[] = {
        {STEP_CALLER, REASON_CALLER_MISMATCH, {.caller_known = true, .caller_uid = 7}, 0},
        {STEP_OWN_PATH, REASON_ROUTE_UNKNOWN, {.path = "/.sidelock/x"}, 0},
        {STEP_CREDENTIAL, REASON_TOKEN_MALFORMED, {.authorization = "Basic x"}, 0},
        {STEP_CREDENTIAL,
         REASON_CREDENTIAL_AMBIGUOUS,
         {.path = "/ws", .upgrade = true, .subprotocols = "sidelock.ticket.x"},
         0},
        {STEP_SESSION, REASON_TOKEN_MALFORMED, {.authorization = "Bearer x"}, 0},
        {STEP_SESSION, REASON_SESSION_REVOKED, {.path = "/"}, 2},
        {STEP_SESSION,
         REASON_LOGIN_INVALID,
         {.path = "/.sidelock/login", .method = "POST", .origin = "http://localhost:8081"},
         0},
        {STEP_ROUTE, REASON_ROUTE_UNKNOWN, {.path = "/shut/x"}, 0},
        {STEP_METHOD, REASON_METHOD_REFUSED, {.method = "PUT"}, 0},
        {STEP_METHOD, REASON_UPGRADE_ROUTE, {.upgrade = true}, 0},
        {STEP_SUBPROTOCOL,
         REASON_SUBPROTOCOL_MISMATCH,
         {.path = "/ws", .upgrade = true, .subprotocols = "x"},
         0},
        {STEP_QUERY, REASON_QUERY_INVALID, {.path = "/ws", .upgrade = true, .query = "id=x"}, 0},
        {STEP_QUERY, REASON_PARAMS_REQUIRED, {.path = "/inject", .upgrade = true}, 0},
        {STEP_BODY, REASON_PARAMS_REQUIRED, {.path = "/start", .method = "POST"}, 0},
        {STEP_EXECUTABLES, REASON_ALLOWED, {.path = "/start", .method = "POST"}, 1},
        {STEP_EXECUTABLES, REASON_ALLOWED, {.path = "/inject", .upgrade = true}, 1},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct request *given = &cases[i].request;
        struct request request = good_request();

        request.authorization =
            given->authorization != NULL ? given->authorization : bearers[cases[i].bearer];
        request.method = given->method != NULL ? given->method : request.method;
        request.path = given->path != NULL ? given->path : request.path;
        request.query = given->query;
        request.origin = given->origin;
        request.subprotocols = given->subprotocols;
        request.upgrade = given->upgrade;
        request.caller_uid = given->caller_known ? given->caller_uid : request.caller_uid;
        expect_step(*state, &request, &v4, cases[i].step, cases[i].reason);
    }
}

/* A killed surface asks nothing more; explain says that it cannot know. */
STEPS_TEST(test_killed)
{
    struct broker_fixture *fixture = *state;
    struct request request = good_request();

    request.host = "attacker.example";
    fixture->gate.surfaces.items[0].killed = true;
    expect_step(fixture, &request, &v4, STEP_KILL_SWITCH, REASON_SURFACE_KILLED);
    fixture->gate.surfaces.items[0].killed = false;
    fixture->gate.surfaces.items[0].rehearsing = true;
    expect_step(fixture, &request, &v4, STEP_KILL_SWITCH, REASON_KILL_REHEARSED);
    fixture->gate.surfaces.items[0].rehearsing = false;
    expect_step(fixture, &request, &v4, STEP_HOST, REASON_HOST_MISMATCH);
}

/* A token in a URL is told at once, on the gate's own pages too, and its session ends. */
STEPS_TEST(test_token_in_query)
{
    struct request request = good_request();
    char query[sizeof(bearers[0])];

    assert_in_range(snprintf(query, sizeof(query), "x=%s", bearers[0] + strlen("Bearer ")), 1,
                    sizeof(query) - 1);
    request.query = query;
    request.path = "/.sidelock/login";
    expect_step(*state, &request, &v4, STEP_STRAY, REASON_TOKEN_IN_QUERY);
    expect_told("session %s session_revoked\n", session_ids[0]);
    request.query = NULL;
    request.path = "/files/x";
    expect_step(*state, &request, &v4, STEP_SESSION, REASON_SESSION_REVOKED);
}

/* Whatever comes together with whatever else. */
STEPS_TEST(test_combinations)
{
    static const char *const hosts[] = {"localhost:8081", "studio.localhost:8081", "x"};
    static const char *const origins[] = {NULL, "http://localhost:8081", OWN, "null"};
    static const char *const paths[] = {"/",
                                        "/ws",
                                        "/inject",
                                        "/shut/x",
                                        "/start",

                                        "/.sidelock/login",
                                        "/.sidelock/ticket",
                                        "/.sidelock/logout",
                                        "/.sidelock/x"};
    static const char *const methods[] = {"GET", "POST", "PUT"};
    static const char *const queries[] = {NULL, "id=1", "id=x"};
    static const char *const protocols[] = {NULL, "mcp", "mcp, x, sidelock.ticket.T", "m p"};
    const char *const tokens[] = {NULL, "Bearer x", bearers[0], bearers[1], bearers[2]};
    const size_t counts[] = {COUNT(hosts),
                             COUNT(origins),
                             COUNT(paths),
                             COUNT(methods),
                             COUNT(queries),
                             COUNT(protocols),
                             COUNT(tokens),
                             2,
                             2};
    size_t at[COUNT(counts)] = {0}, place, seen = 0;

    do {
        struct request request = {.host = hosts[at[0]],
                                  .origin = origins[at[1]],
                                  .path = paths[at[2]],
                                  .method = methods[at[3]],
                                  .query = queries[at[4]],
                                  .subprotocols = protocols[at[5]],
                                  .authorization = tokens[at[6]],
                                  .upgrade = at[7] == 1,
                                  .cookie = at[8] == 1 ? cookie : NULL,
                                  .caller_known = true,
                                  .caller_uid = 1000};
        struct broker_fixture *fixture = *state;
        enum step_id id;

        seen += reason_allows(judge(fixture, &fixture->config->surfaces[0], &request, &v4, &id));
        for (place = 0; place < COUNT(counts) && ++at[place] == counts[place]; place++)
            at[place] = 0;
    } while (place < COUNT(counts));
    assert_true(seen > 100);
}

/* The table of proxy/README.md is this one. */
TEST(test_readme)
{
    static char readme[FIXTURE_BYTES], table[8192];
    size_t used = 0;

    for (enum step_id id = 0; id < STEP_COUNT; id++)
        used += (size_t)snprintf(table + used, sizeof(table) - used, "| %s | %s |\n",
                                 steps_name(id), steps_demand(id));
    fixture_read(SOURCE_DIR "/proxy/README.md", readme, sizeof(readme));
    if (strstr(readme, table) == NULL)
        fail_msg("proxy/README.md does not quote the steps as they are:\n%s", table);
}
