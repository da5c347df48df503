/* control/routes.c, json.c and input.c: the control API without sockets. */
#include "broker_fixture.h"

#include "broker/control/input.h"
#include "broker/control/routes.h"
#include "broker/operations/operation.h"
#include "system/lockdown.h"

#include <fcntl.h>
#include <jansson.h>

#define SECRET "hidden-value"
#define RECORD                                                                                     \
    "{\"type\":\"stdio\",\"command\":\"/bin/true\",\"args\":[\"" SECRET "\"],"                     \
    "\"env\":{\"type\":\"" SECRET "\"},\"headers\":{\"X\":[\"" SECRET "\"]},"                      \
    "\"url\":\"https://u:" SECRET "@h.example:8/" SECRET "?" SECRET "\",\"n\":5,\"on\":true}"

static void note_answer(void *context)
{
    unsigned *answers = context;

    ++*answers;
}

/* Whatever it waits for. */
static void answer_now(struct broker_fixture *fixture, const struct control_request *request,
                       struct control_answer *answer)
{
    unsigned answers = 0;

    control_routes_answer(&fixture->gate, request, answer, note_answer, &answers);
    fixture_finish(fixture);
    assert_int_equal(answers, 1);
}

/* Asks, and returns the answer, which the next call replaces. */
static const struct control_answer *ask(struct broker_fixture *fixture, const char *method,
                                        const char *path, const char *query, const char *body)
{
    static struct control_answer answer;
    struct control_request request = {.uid = 7, .method = method, .body = span_of(body)};
    const char *equals = query != NULL ? strchr(query, '=') : NULL;

    snprintf(request.path, sizeof(request.path), "%s", path);
    if (equals != NULL) {
        request.query_count = 1;
        snprintf(request.query[0].name, sizeof(request.query[0].name), "%.*s",
                 (int)(equals - query), query);
        snprintf(request.query[0].value, sizeof(request.query[0].value), "%s", equals + 1);
    }
    buffer_clear(&answer.body);
    answer = (struct control_answer){0};
    buffer_init(&answer.body, CONTROL_ANSWER_BYTES_MAX);
    answer_now(fixture, &request, &answer);
    assert_false(buffer_failed(&answer.body));
    return &answer;
}

static int forget_answer(void **state)
{
    struct broker_fixture *fixture = *state;

    ask(fixture, "GET", "/", NULL, NULL);
    return broker_fixture_drop(state);
}

/* A parsed answer with the expected status; the caller releases it. */
static json_t *expect(struct broker_fixture *fixture, unsigned status, const char *method,
                      const char *path, const char *query, const char *body)
{
    const struct control_answer *answer = ask(fixture, method, path, query, body);
    json_t *root;

    if (answer->status != status)
        fail_msg("%s %s: %u, not %u: %s", method, path, answer->status, status, answer->body.data);
    root = json_loadb(answer->body.data, answer->body.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_string_equal(answer->content_type,
                        status < 300 ? "application/json" : "application/problem+json");
    if (status >= 300) {
        assert_int_equal(json_integer_value(json_object_get(root, "status")), status);
        assert_true(json_is_string(json_object_get(root, "detail")));
    }
    return root;
}

static void expect_only(struct broker_fixture *fixture, unsigned status, const char *method,
                        const char *path, const char *query, const char *body)
{
    json_decref(expect(fixture, status, method, path, query, body));
}

static const char *text_of(const json_t *root, const char *name)
{
    const char *text = json_string_value(json_object_get(root, name));

    assert_non_null(text);
    return text;
}

#define ROUTES_TEST(test) TEST_BETWEEN(test, broker_fixture_make, forget_answer)

ROUTES_TEST(test_paths_and_methods)
{
    struct broker_fixture *fixture = *state;

    expect_only(fixture, 404, "GET", "/", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1/status/", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1/events", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1/nothing", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1/params/", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1/params/a/b", NULL, NULL);
    expect_only(fixture, 404, "POST", "/v1/surfaces/studio/kill/now", NULL, NULL);
    expect_only(fixture, 404, "POST", "/v1/surfaces//kill", NULL, NULL);
    expect_only(fixture, 405, "GET", "/v1/reload", NULL, NULL);
    expect_only(fixture, 405, "POST", "/v1/status", NULL, NULL);
    expect_only(fixture, 405, "GET", "/v1/surfaces/studio/kill", NULL, NULL);
    expect_only(fixture, 405, "PUT", "/v1/sessions", NULL, NULL);
    expect_only(fixture, 400, "GET", "/v1/status", "x=1", NULL);
    expect_only(fixture, 400, "DELETE", "/v1/sessions", "surfce=studio", NULL);
    expect_only(fixture, 400, "GET", "/v1/register", "format=pdf", NULL);
}

ROUTES_TEST(test_params)
{
    struct broker_fixture *fixture = *state;
    json_t *root = expect(fixture, 200, "PUT", "/v1/params/everything", "surface=studio", RECORD);

    assert_string_equal(text_of(root, "surface"), "studio");
    assert_int_equal(strlen(text_of(root, "digest")), 64);
    assert_string_equal(text_of(root, "created_at"), "2027-01-15T08:00:00Z");
    json_decref(root);
    root = expect(fixture, 200, "GET", "/v1/params", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "params")), 1);
    json_decref(root);
    assert_null(strstr(ask(fixture, "GET", "/v1/params", NULL, NULL)->body.data, SECRET));

    expect_only(fixture, 422, "PUT", "/v1/params/x", "surface=nowhere", RECORD);
    expect_only(fixture, 422, "PUT", "/v1/params/-x", NULL, RECORD);
    expect_only(fixture, 400, "PUT", "/v1/params/x", NULL, "{");
    root = expect(fixture, 422, "PUT", "/v1/params/x", NULL, "{\"command\":\"/bin/sh\"}");
    assert_string_equal(text_of(root, "reason"), "executable_refused");
    json_decref(root);
    expect_only(fixture, 404, "GET", "/v1/params/x", NULL, NULL);
    expect_only(fixture, 404, "DELETE", "/v1/params/x", NULL, NULL);
    expect_only(fixture, 200, "DELETE", "/v1/params/everything", NULL, NULL);
    expect_only(fixture, 404, "GET", "/v1/params/everything", NULL, NULL);
}

ROUTES_TEST(test_show_masks)
{
    struct broker_fixture *fixture = *state;
    const struct control_answer *answer;
    json_t *root, *record;

    expect_only(fixture, 200, "PUT", "/v1/params/everything", NULL, RECORD);
    answer = ask(fixture, "GET", "/v1/params/everything", NULL, NULL);
    assert_null(strstr(answer->body.data, SECRET));
    assert_null(strstr(fixture_audit(fixture), "params_revealed"));
    root = expect(fixture, 200, "GET", "/v1/params/everything", NULL, NULL);
    record = json_object_get(root, "record");
    assert_string_equal(text_of(record, "type"), "stdio");
    assert_string_equal(text_of(record, "command"), "/bin/true");
    assert_string_equal(text_of(record, "url"), "https://h.example:8/***");
    assert_string_equal(text_of(json_object_get(record, "env"), "type"), "***");
    assert_string_equal(text_of(record, "n"), "***");
    assert_true(json_is_true(json_object_get(record, "on")));
    json_decref(root);

    answer = ask(fixture, "GET", "/v1/params/everything", "reveal=0", NULL);
    assert_null(strstr(answer->body.data, SECRET));
    answer = ask(fixture, "GET", "/v1/params/everything", "reveal=1", NULL);
    assert_non_null(strstr(answer->body.data, RECORD));
    assert_non_null(strstr(fixture_audit(fixture), "params_revealed"));
}

TEST(test_mask_of_odd_urls)
{
    static const struct {
        const char *record, *masked;
    } cases[] = {
        {"{\"url\":\"no scheme\"}", "{\"url\":\"***\"}"},
        {"{\"url\":\"http://\"}", "{\"url\":\"http:///***\"}"},
        {"{\"url\":\"http://a@b@c/d\"}", "{\"url\":\"http://c/***\"}"},
        {"{\"url\":\"http://c\\\\a@b\"}", "{\"url\":\"http://c/***\"}"},
        {"{\"url\":\"http://c?a@b\"}", "{\"url\":\"http://c/***\"}"},
        {"{\"url\":{\"url\":\"ws://h/x\"}}", "{\"url\":{\"url\":\"ws://h/***\"}}"},
        {"{\"command\":[\"a\"]}", "{\"command\":[\"***\"]}"},
        {"{\"a\":[[\"b\",null]]}", "{\"a\":[[\"***\",null]]}"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buffer out;

        buffer_init(&out, FIXTURE_BYTES);
        assert_int_equal(control_input_mask(&out, span_of(cases[i].record), false), OK);
        assert_string_equal(out.data, cases[i].masked);
        buffer_clear(&out);
    }
}

ROUTES_TEST(test_sessions)
{
    struct broker_fixture *fixture = *state;
    char path[CONTROL_PATH_BYTES_MAX], ticket_path[CONTROL_PATH_BYTES_MAX + 16];
    json_t *root;

    root = expect(fixture, 201, "POST", "/v1/sessions", NULL,
                  "{\"surface\":\"studio\",\"ttl_s\":60,\"once\":true,\"verbs\":[\"a\"],"
                  "\"targets\":[],\"callers\":[1000],\"params\":null}");
    assert_non_null(strchr(text_of(root, "token"), '.'));
    assert_true(json_is_null(json_object_get(root, "digest")));
    assert_string_equal(text_of(root, "expires_at"), "2027-01-15T08:01:00Z");
    snprintf(path, sizeof(path), "/v1/sessions/%s", text_of(root, "id"));
    snprintf(ticket_path, sizeof(ticket_path), "%s/ticket", path);
    json_decref(root);

    root = expect(fixture, 200, "GET", path, NULL, NULL);
    assert_string_equal(text_of(root, "state"), "active");
    assert_true(json_is_null(json_object_get(root, "revoked_at")));
    assert_true(json_is_true(json_object_get(root, "once")));
    assert_int_equal(json_array_size(json_object_get(root, "verbs")), 1);
    assert_true(json_is_array(json_object_get(root, "targets")));
    assert_int_equal(json_integer_value(json_array_get(json_object_get(root, "callers"), 0)), 1000);
    assert_int_equal(json_integer_value(json_object_get(root, "created_by")), 7);
    assert_null(json_object_get(root, "token"));
    json_decref(root);

    root = expect(fixture, 201, "POST", ticket_path, NULL, NULL);
    assert_int_equal(strlen(text_of(root, "ticket")), TICKET_SIZE - 1);
    json_decref(root);
    snprintf(ticket_path, sizeof(ticket_path), "%s/renew", path);
    root = expect(fixture, 200, "POST", ticket_path, NULL, "{\"ttl_s\":120}");
    assert_string_equal(text_of(root, "expires_at"), "2027-01-15T08:02:00Z");
    assert_non_null(strchr(text_of(root, "token"), '.'));
    json_decref(root);
    root = expect(fixture, 200, "POST", ticket_path, NULL, NULL);
    assert_string_equal(text_of(root, "expires_at"), "2027-01-15T08:15:00Z");
    json_decref(root);
    expect_only(fixture, 400, "POST", ticket_path, NULL, "{");
    expect_only(fixture, 422, "POST", ticket_path, NULL, "{\"ttl_s\":\"1\"}");
    expect_only(fixture, 422, "POST", ticket_path, NULL, "{\"ttl_s\":1,\"once\":true}");
    expect_only(fixture, 422, "POST", ticket_path, NULL, "[]");
    snprintf(ticket_path, sizeof(ticket_path), "%s/ticket", path);
    expect_only(fixture, 200, "DELETE", path, NULL, NULL);
    expect_only(fixture, 409, "POST", ticket_path, NULL, NULL);
    snprintf(ticket_path, sizeof(ticket_path), "%s/renew", path);
    root = expect(fixture, 409, "POST", ticket_path, NULL, NULL);
    assert_string_equal(text_of(root, "reason"), "session_revoked");
    json_decref(root);
    root = expect(fixture, 200, "GET", path, NULL, NULL);
    assert_string_equal(text_of(root, "state"), "revoked");
    assert_string_equal(text_of(root, "revoked_at"), "2027-01-15T08:00:00Z");
    json_decref(root);
    expect_only(fixture, 404, "GET", "/v1/sessions/00", NULL, NULL);
    expect_only(fixture, 404, "DELETE", "/v1/sessions/00", NULL, NULL);
    expect_only(fixture, 404, "POST", "/v1/sessions/00/ticket", NULL, NULL);
}

ROUTES_TEST(test_session_input_is_strict)
{
    static const struct {
        const char *body;
        unsigned status;
    } cases[] = {
        {"", 400},
        {"{", 400},
        {"{\"surface\":\"studio\",\"surface\":\"tools\"}", 400},
        {"[]", 422},
        {"{}", 422},
        {"{\"surface\":1}", 422},
        {"{\"surface\":\"nowhere\"}", 422},
        {"{\"surface\":\"studio\",\"params\":\"missing\"}", 422},
        {"{\"surface\":\"studio\",\"params\":1}", 422},
        {"{\"surface\":\"studio\",\"params\":\"\"}", 422},
        {"{\"surface\":\"studio\",\"params\":"
         "\"a234567890123456789012345678901234567890123456789012345678901234x\"}",
         422},
        {"{\"surface\":\"studio\",\"ttl\":60}", 422},
        {"{\"surface\":\"studio\",\"ttl_s\":\"60\"}", 422},
        {"{\"surface\":\"studio\",\"ttl_s\":60.5}", 422},
        {"{\"surface\":\"studio\",\"ttl_s\":0}", 422},
        {"{\"surface\":\"studio\",\"ttl_s\":-9223372036854775808}", 422},
        {"{\"surface\":\"studio\",\"ttl_s\":9223372036854775807}", 422},
        {"{\"surface\":\"studio\",\"once\":1}", 422},
        {"{\"surface\":\"studio\",\"verbs\":\"a\"}", 422},
        {"{\"surface\":\"studio\",\"verbs\":[1]}", 422},
        {"{\"surface\":\"studio\",\"verbs\":[\"\"]}", 422},
        {"{\"surface\":\"studio\",\"targets\":[\"a\\nb\"]}", 422},
        {"{\"surface\":\"studio\",\"callers\":1000}", 422},
        {"{\"surface\":\"studio\",\"callers\":[\"root\"]}", 422},
        {"{\"surface\":\"studio\",\"callers\":[-1]}", 422},
        {"{\"surface\":\"studio\",\"callers\":[4294967295]}", 422},
        {"{\"surface\":\"studio\",\"callers\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", 422},
    };
    struct broker_fixture *fixture = *state;
    json_t *root;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_only(fixture, cases[i].status, "POST", "/v1/sessions", NULL, cases[i].body);
    root = expect(fixture, 200, "GET", "/v1/sessions", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "sessions")), 0);
    json_decref(root);
}

/* One page, and where the next one begins ("": there is none). */
static size_t page(struct broker_fixture *fixture, const char *path, const char *member,
                   const char *query, char next[CONTROL_CURSOR_SIZE])
{
    json_t *root = expect(fixture, 200, "GET", path, query, NULL);
    const char *after = json_string_value(json_object_get(root, "next"));
    size_t rows = json_array_size(json_object_get(root, member));

    assert_non_null(json_object_get(root, "next"));
    snprintf(next, CONTROL_CURSOR_SIZE, "%s", after != NULL ? after : "");
    json_decref(root);
    return rows;
}

ROUTES_TEST(test_pages)
{
    struct broker_fixture *fixture = *state;
    char next[CONTROL_CURSOR_SIZE], query[CONTROL_CURSOR_SIZE + 8], body[64 * 1024] = "";
    size_t length, rows = 0, pages = 0;

    for (int i = 0; i < CONTROL_PAGE_ROWS + 5; i++)
        expect_only(fixture, 201, "POST", "/v1/sessions", NULL, "{\"surface\":\"studio\"}");
    assert_int_equal(page(fixture, "/v1/sessions", "sessions", NULL, next), CONTROL_PAGE_ROWS);
    snprintf(query, sizeof(query), "after=%s", next);
    assert_int_equal(page(fixture, "/v1/sessions", "sessions", query, next), 5);
    assert_string_equal(next, "");
    assert_int_equal(page(fixture, "/v1/sessions", "sessions", "limit=105", next), 105);
    assert_string_equal(next, "");
    assert_int_equal(page(fixture, "/v1/sessions", "sessions", "limit=104", next), 104);
    assert_string_not_equal(next, "");
    expect_only(fixture, 400, "GET", "/v1/sessions", "limit=201", NULL);
    expect_only(fixture, 400, "GET", "/v1/sessions", "limit=", NULL);
    expect_only(fixture, 400, "GET", "/v1/sessions", "limit=99999999999999999999", NULL);
    expect_only(fixture, 400, "GET", "/v1/sessions", "after=1700000000.x", NULL);
    expect_only(fixture, 400, "GET", "/v1/params", "page=2", NULL);

    /* Large rows end a page before its rows are many. */
    length = (size_t)snprintf(body, sizeof(body), "{\"surface\":\"tools\",\"targets\":[");
    for (int i = 0; i < SESSION_LIST_MAX; i++)
        length += (size_t)snprintf(body + length, sizeof(body) - length, "%s\"%0400d\"",
                                   i > 0 ? "," : "", i);
    snprintf(body + length, sizeof(body) - length, "]}");
    for (int i = 0; i < 20; i++)
        expect_only(fixture, 201, "POST", "/v1/sessions", NULL, body);
    next[0] = '\0';
    do {
        snprintf(query, sizeof(query), "after=%s", next[0] != '\0' ? next : "0.");
        rows += page(fixture, "/v1/sessions", "sessions", next[0] != '\0' ? query : NULL, next);
        pages++;
        assert_true(
            ask(fixture, "GET", "/v1/sessions", next[0] != '\0' ? query : NULL, NULL)->body.length <
            2 * CONTROL_PAGE_BYTES);
    } while (next[0] != '\0');
    assert_int_equal(rows, CONTROL_PAGE_ROWS + 25);
    assert_true(pages >= 3); /* by their number alone it were 2 */
}

/* Strings must not end where a parser of C strings thinks they do. */
ROUTES_TEST(test_session_body_with_nul)
{
    struct broker_fixture *fixture = *state;
    static const char body[] = "{\"surface\":\"studio\",\"ttl_s\":60\0}";
    struct control_request request = {
        .uid = 7, .method = "POST", .path = "/v1/sessions", .body = {body, sizeof(body) - 1}};
    struct control_answer answer = {0};

    buffer_init(&answer.body, CONTROL_ANSWER_BYTES_MAX);
    answer_now(fixture, &request, &answer);
    assert_int_equal(answer.status, 400);
    buffer_clear(&answer.body);
}

ROUTES_TEST(test_revoke_all)
{
    struct broker_fixture *fixture = *state;
    json_t *root;

    expect_only(fixture, 201, "POST", "/v1/sessions", NULL, "{\"surface\":\"studio\"}");
    expect_only(fixture, 201, "POST", "/v1/sessions", NULL, "{\"surface\":\"tools\"}");
    expect_only(fixture, 404, "DELETE", "/v1/sessions", "surface=", NULL);
    expect_only(fixture, 404, "DELETE", "/v1/sessions", "surface=nowhere", NULL);
    root = expect(fixture, 200, "DELETE", "/v1/sessions", "surface=tools", NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "revoked")), 1);
    json_decref(root);
    root = expect(fixture, 200, "DELETE", "/v1/sessions", NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "revoked")), 1);
    json_decref(root);
}

ROUTES_TEST(test_status_and_surfaces)
{
    struct broker_fixture *fixture = *state;
    const json_t *surface;
    json_t *root;

    expect_only(fixture, 201, "POST", "/v1/sessions", NULL,
                "{\"surface\":\"studio\",\"ttl_s\":60}");
    fixture->gate.surfaces.items[0].admitted = 11;
    fixture->gate.surfaces.items[0].messages_refused = 12;
    root = expect(fixture, 200, "POST", "/v1/surfaces/studio/kill", NULL, NULL);
    assert_true(json_is_true(json_object_get(root, "killed")));
    json_decref(root);
    expect_only(fixture, 404, "POST", "/v1/surfaces/nowhere/kill", NULL, NULL);
    root = expect(fixture, 200, "GET", "/v1/status", NULL, NULL);
    surface = json_array_get(json_object_get(root, "surfaces"), 0);
    assert_string_equal(text_of(surface, "name"), "studio");
    assert_string_equal(text_of(surface, "mode"), "enforce");
    assert_true(json_is_true(json_object_get(surface, "killed")));
    assert_int_equal(json_integer_value(json_object_get(surface, "admitted")), 11);
    assert_int_equal(json_integer_value(json_object_get(surface, "messages_refused")), 12);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(root, "sessions"), "active")), 0);
    json_decref(root);
    expect_only(fixture, 201, "POST", "/v1/sessions", NULL,
                "{\"surface\":\"studio\",\"ttl_s\":60}");
    root = expect(fixture, 200, "GET", "/v1/status", NULL, NULL);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(root, "sessions"), "active")), 1);
    json_decref(root);
    fixture_now += 60;
    root = expect(fixture, 200, "GET", "/v1/status", NULL, NULL);
    assert_int_equal(json_integer_value(json_object_get(root, "uptime_s")), 60);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(root, "sessions"), "active")), 0);
    json_decref(root);
    root = expect(fixture, 200, "POST", "/v1/surfaces/studio/arm", NULL, NULL);
    assert_true(json_is_false(json_object_get(root, "killed")));
    json_decref(root);
    root = expect(fixture, 200, "GET", "/v1/surfaces", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "surfaces")), 2);
    json_decref(root);
}

ROUTES_TEST(test_kill)
{
    struct broker_fixture *fixture = *state;
    char order[LOCKDOWN_PATH_SIZE];
    const json_t *figures;
    json_t *root;
    int fd;

    expect_only(fixture, 400, "POST", "/v1/kill", "rehearsal=1", NULL);
    expect_only(fixture, 405, "GET", "/v1/kill", NULL, NULL);
    expect_only(fixture, 201, "POST", "/v1/sessions", NULL, "{\"surface\":\"studio\"}");
    expect_only(fixture, 400, "POST", "/v1/surfaces/studio/kill", "rehearse=true", NULL);
    expect_only(fixture, 400, "POST", "/v1/surfaces/studio/kill", "rehearse=", NULL);
    expect_only(fixture, 400, "POST", "/v1/kill", "rehearse=0", NULL);
    root = expect(fixture, 200, "POST", "/v1/surfaces/studio/kill", "rehearse=1", NULL);
    assert_true(json_is_false(json_object_get(root, "killed")));
    assert_true(json_is_object(json_object_get(root, "rehearsed")));
    figures = json_object_get(root, "rehearsal");
    assert_int_equal(json_integer_value(json_object_get(figures, "connections")), 0);
    assert_int_equal(json_integer_value(json_object_get(figures, "sessions")), 0);
    json_decref(root);
    root = expect(fixture, 200, "POST", "/v1/kill", NULL, NULL);
    assert_int_equal(json_array_size(json_object_get(root, "surfaces")), 2);
    figures = json_object_get(root, "kill");
    assert_int_equal(json_integer_value(json_object_get(figures, "sessions")), 1);
    json_decref(root);
    expect_only(fixture, 409, "POST", "/v1/kill", "rehearse=1", NULL);
    lockdown_path(fixture->config->state_dir, order);
    fd = open(order, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_only(fixture, 409, "POST", "/v1/surfaces/studio/arm", NULL, NULL);
    root = expect(fixture, 200, "GET", "/v1/status", NULL, NULL);
    assert_string_equal(text_of(root, "lockdown"), order);
    json_decref(root);
    assert_int_equal(unlink(order), 0);
    expect_only(fixture, 200, "POST", "/v1/surfaces/studio/arm", NULL, NULL);
    root = expect(fixture, 200, "GET", "/v1/status", NULL, NULL);
    assert_true(json_is_null(json_object_get(root, "lockdown")));
    json_decref(root);
}

ROUTES_TEST(test_metrics)
{
    struct broker_fixture *fixture = *state;
    const struct control_answer *answer;

    fixture->gate.surfaces.items[1].denied = 5;
    fixture->gate.denials[REASON_ORIGIN_MISMATCH] = 4;
    quotas_counts(fixture->gate.quotas, 1)->gave_way[QUOTA_TICKETS] = 3;
    answer = ask(fixture, "GET", "/v1/metrics", NULL, NULL);
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->content_type, "text/plain"));
    assert_non_null(strstr(answer->body.data, "\nsidelock_denied_total{surface=\"tools\"} 5\n"));
    assert_non_null(
        strstr(answer->body.data, "\nsidelock_denials_total{reason=\"origin_mismatch\"} 4\n"));
    assert_null(strstr(answer->body.data, "host_mismatch"));
    assert_non_null(strstr(answer->body.data,
                           "\nsidelock_quota_gave_way_total{surface=\"tools\",quota=\"tickets\","
                           "per=\"session\"} 3\n"));
}

ROUTES_TEST(test_register)
{
    struct broker_fixture *fixture = *state;
    const struct control_answer *answer;
    const json_t *cell;
    json_t *root = expect(fixture, 200, "GET", "/v1/register", NULL, NULL);

    assert_true(json_is_true(json_object_get(root, "live")));
    cell = json_object_get(json_array_get(json_object_get(root, "rows"), 0), "isolation_boundary");
    assert_string_equal(text_of(cell, "evidence"), "proven");
    assert_non_null(strstr(text_of(cell, "value"), "mode 0700"));
    cell = json_object_get(json_array_get(json_object_get(root, "rows"), 1), "isolation_boundary");
    assert_string_equal(text_of(cell, "evidence"), "claimed");
    assert_true(json_is_true(json_object_get(cell, "finding")));
    json_decref(root);
    answer = ask(fixture, "GET", "/v1/register", "format=md", NULL);
    assert_int_equal(answer->status, 200);
    assert_string_equal(answer->content_type, "text/markdown; charset=utf-8");
    assert_non_null(strstr(answer->body.data, "Testing \\| it"));
}
