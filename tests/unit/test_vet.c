/* vet.c: verdicts by vectors, smuggling, correlation and its limits, replies. */
#include "vet/vet.h"

#include "packs.h"
#include "policy/params.h"
#include "unit.h"
#include "vector_lines.h"
#include "vet/outstanding.h"

#include <malloc.h>
#include <stdint.h>

#include <jansson.h>

#define HANDLES_MAX 4

static struct vet_scratch *scratch;

static int set_up(void **state)
{
    (void)state;
    return vet_scratch_create(&scratch) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    vet_scratch_destroy(scratch);
    return 0;
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

/* ---- Decision vectors ---- */

struct lists {
    struct text_list verbs, targets, server_verbs, session_verbs, session_targets;
    char digest[SHA256_HEX_SIZE];
};

static const struct text_list *read_list(const json_t *rules, const char *key,
                                         struct text_list *into)
{
    const json_t *value = json_object_get(rules, key), *item;
    size_t i;

    if (value == NULL)
        return NULL;
    json_array_foreach(value, i, item) assert_int_equal(
        text_list_add(into, json_string_value(item), json_string_length(item)), OK);
    return into;
}

static void read_rules(const json_t *rules, struct lists *lists, struct vet_rules *out)
{
    const json_t *match = json_object_get(rules, "match");

    out->verbs = read_list(rules, "verbs", &lists->verbs);
    out->targets = read_list(rules, "targets", &lists->targets);
    out->server_verbs = read_list(rules, "server_verbs", &lists->server_verbs);
    out->session_verbs = read_list(rules, "session_verbs", &lists->session_verbs);
    out->session_targets = read_list(rules, "session_targets", &lists->session_targets);
    out->observe = json_is_true(json_object_get(rules, "observe"));
    out->close_on_refusal = json_is_true(json_object_get(rules, "close"));
    out->resumable = json_is_true(json_object_get(rules, "resumable"));
    if (match != NULL) {
        char *text = json_dumps(match, 0);

        assert_non_null(text);
        assert_int_equal(canonical_text_digest(text, strlen(text), lists->digest), OK);
        out->match_digest = lists->digest;
        free(text);
    }
}

static void lists_clear(struct lists *lists)
{
    text_list_clear(&lists->verbs);
    text_list_clear(&lists->targets);
    text_list_clear(&lists->server_verbs);
    text_list_clear(&lists->session_verbs);
    text_list_clear(&lists->session_targets);
}

static void check_text(const char *where, const char *what, const char *got, const json_t *expected)
{
    const char *text = expected != NULL ? json_string_value(expected) : "";

    if (strcmp(got, text) != 0)
        fail_msg("%s: %s is \"%s\", not \"%s\"", where, what, got, text);
}

/* What went back, or to the other side, is strict JSON and the expected value. */
static void check_reply(const char *where, struct span got, const json_t *expected, bool any)
{
    json_t *value;

    if (got.data == NULL && expected == NULL && !any)
        return;
    if ((got.data == NULL) != (expected == NULL && !any))
        fail_msg("%s: %s", where, got.data == NULL ? "no reply" : "a reply nobody expects");
    value = json_loadb(got.data, got.length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(value);
    if (expected != NULL && !json_equal(value, expected))
        fail_msg("%s: the reply is %.*s", where, (int)got.length, got.data);
    json_decref(value);
}

/* What goes out instead of the message: the very text, or nothing. */
static void check_forward(const char *where, struct span got, const json_t *expected)
{
    if ((got.data != NULL) != (expected != NULL))
        fail_msg("%s: %s", where, got.data == NULL ? "not rewritten" : "rewritten");
    if (expected != NULL && !span_equals(got, json_string_value(expected)))
        fail_msg("%s: rewritten to %.*s", where, (int)got.length, got.data);
}

/* Whose connection it is: "one", unless the step says otherwise. */
static const char *step_session(const json_t *step)
{
    const char *session = json_string_value(json_object_get(step, "session"));

    return session != NULL ? session : "one";
}

/* The rules of one step: those of the case, and what is the message's own. */
static void read_step(const json_t *step, struct mcp_http_headers *headers, struct vet_rules *rules)
{
    const json_t *http = json_object_get(step, "headers");

    *headers = (struct mcp_http_headers){json_string_value(json_object_get(http, "version")),
                                         json_string_value(json_object_get(http, "method")),
                                         json_string_value(json_object_get(http, "name"))};
    rules->http = http != NULL ? headers : NULL;
    rules->session_id = step_session(step);
    rules->replay = json_is_true(json_object_get(step, "replay"));
}

static void run_step(const char *where, const json_t *step, struct vet_state *state,
                     const struct vet_rules *case_rules)
{
    static const char *const kinds[] = {"other", "request", "notification", "response", "typed"};
    static const char *const actions[] = {
        [VET_REFUSE] = "refuse", [VET_CLOSE] = "close", [VET_FORWARD] = "forward"};
    const json_t *message = json_object_get(step, "message");
    const json_t *reply_text = json_object_get(step, "reply_text");
    const char *direction = json_string_value(json_object_get(step, "direction"));
    const json_t *forget = json_object_get(step, "forget"), *kind = json_object_get(step, "kind");
    struct vet_rules rules = *case_rules;
    struct mcp_http_headers headers;
    struct vet_result result;
    char *text = json_is_string(message) ? strdup(json_string_value(message))
                                         : json_dumps(message, JSON_COMPACT);

    assert_non_null(text);
    read_step(step, &headers, &rules);
    vet_message(state, scratch, &rules,
                strcmp(direction, "c2s") == 0 ? DIRECTION_C2S : DIRECTION_S2C, text, strlen(text),
                !json_is_true(json_object_get(step, "binary")), &result);
    check_text(where, "the verdict", actions[result.action], json_object_get(step, "verdict"));
    check_text(where, "the reason", reason_info(result.reason)->code,
               json_object_get(step, "reason"));
    check_text(where, "the verb", result.verb, json_object_get(step, "verb"));
    check_text(where, "the target", result.target, json_object_get(step, "target"));
    if (kind != NULL)
        check_text(where, "the kind", kinds[result.kind], kind);
    if (rules.http != NULL)
        check_text(where, "the era", result.era == MCP_MODERN ? "modern" : "",
                   json_object_get(step, "era"));
    check_forward(where, result.forward, json_object_get(step, "forward"));
    if (forget != NULL)
        vet_state_forget(
            state, strcmp(json_string_value(forget), "c2s") == 0 ? DIRECTION_C2S : DIRECTION_S2C,
            result.id_key);
    check_reply(where, result.counterpart, json_object_get(step, "counterpart"), false);
    if (reply_text != NULL)
        assert_true(span_equals(result.reply, json_string_value(reply_text)));
    else
        check_reply(where, result.reply, json_object_get(step, "reply"),
                    json_is_true(json_object_get(step, "replies")));
    free(text);
}

static void run_case(const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    const char *pack = json_string_value(json_object_get(entry, "dialect"));
    const json_t *steps = json_object_get(entry, "steps"), *verb;
    struct dialect *dialect = pack_load(pack != NULL ? pack : "mcp");
    struct vet_rules rules = {
        .vocabulary =
            dialect_vocabulary(dialect, json_string_value(json_object_get(entry, "vocabulary")))};
    struct lists lists = {0};
    struct vet_state *state;
    size_t i;

    assert_non_null(rules.vocabulary);
    json_array_foreach(json_object_get(json_object_get(entry, "rules"), "reopen"), i, verb)
        assert_true(dialect_reopen(dialect, json_string_value(verb)));
    json_array_foreach(json_object_get(json_object_get(entry, "rules"), "extensions"), i, verb)
        assert_true(dialect_enable(dialect, json_string_value(verb)));
    read_rules(json_object_get(entry, "rules"), &lists, &rules);
    assert_int_equal(vet_state_create(NULL, quota_surface(0), &state), OK);
    assert_int_equal(handles_create(HANDLES_MAX, &rules.handles), OK);
    assert_true(json_array_size(steps) > 0);
    for (i = 0; i < json_array_size(steps); i++) {
        char where[256];

        snprintf(where, sizeof(where), "%s, step %zu", name, i + 1);
        run_step(where, json_array_get(steps, i), state, &rules);
    }
    vet_state_destroy(state);
    handles_destroy(rules.handles);
    lists_clear(&lists);
    dialect_destroy(dialect);
}

static void run_vectors(const char *path)
{
    json_error_t error;
    json_t *cases = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

    if (cases == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    assert_true(json_array_size(cases) > 5);
    for (size_t i = 0; i < json_array_size(cases); i++)
        run_case(json_array_get(cases, i));
    json_decref(cases);
}

TEST(test_mcp_vectors)
{
    run_vectors(VECTORS_DIR "/vet/mcp.json");
}

TEST(test_answer_vectors)
{
    run_vectors(VECTORS_DIR "/vet/answers.json");
}

/* Lists of targets, what asks, and what belongs to whom. */
TEST(test_handle_vectors)
{
    run_vectors(VECTORS_DIR "/vet/handles.json");
}

TEST(test_mcp_http_vectors)
{
    run_vectors(VECTORS_DIR "/vet/mcp-http.json");
}

TEST(test_extension_vectors)
{
    run_vectors(VECTORS_DIR "/vet/extensions.json");
}

TEST(test_cdp_vectors)
{
    run_vectors(VECTORS_DIR "/vet/cdp.json");
}

TEST(test_other_vectors)
{
    run_vectors(VECTORS_DIR "/vet/other.json");
}

/* ---- Smuggling ---- */

struct smuggling {
    struct dialect *mcp, *studio;
    struct text_list verbs, targets;
    char digest[SHA256_HEX_SIZE];
};

static void smuggling_open(struct smuggling *smuggling)
{
    static const char *const verbs[] = {
        "tools/list", "tools/call", "resources/read", "completion/complete", "list_tools",
        "call_tool",  "start",      "stop",           "input_response"};
    static const char *const targets[] = {"echo", "search_*", "file:///srv/docs/*"};
    static const char team[] = "{\"team\":\"stored\",\"size\":2}";

    *smuggling = (struct smuggling){.mcp = pack_load("mcp"), .studio = pack_load("autogen-studio")};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        assert_int_equal(text_list_add(&smuggling->verbs, verbs[i], strlen(verbs[i])), OK);
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
        assert_int_equal(text_list_add(&smuggling->targets, targets[i], strlen(targets[i])), OK);
    assert_int_equal(canonical_text_digest(team, strlen(team), smuggling->digest), OK);
}

static void smuggling_close(struct smuggling *smuggling)
{
    dialect_destroy(smuggling->mcp);
    dialect_destroy(smuggling->studio);
    text_list_clear(&smuggling->verbs);
    text_list_clear(&smuggling->targets);
}

/* Vets one message as the first of a connection of its own. */
static void smuggle(const struct smuggling *smuggling, char *vocabulary, const char *text,
                    size_t length, struct vet_result *result)
{
    char *name = strchr(vocabulary, '/');
    struct vet_rules rules = {.verbs = &smuggling->verbs,
                              .targets = &smuggling->targets,
                              .match_digest = smuggling->digest};
    struct vet_state *state;

    assert_non_null(name);
    *name++ = '\0';
    rules.vocabulary = dialect_vocabulary(
        strcmp(vocabulary, "mcp") == 0 ? smuggling->mcp : smuggling->studio, name);
    assert_non_null(rules.vocabulary);
    assert_int_equal(vet_state_create(NULL, quota_surface(0), &state), OK);
    vet_message(state, scratch, &rules, DIRECTION_C2S, text, length, true, result);
    vet_state_destroy(state);
}

TEST(test_smuggling_refused)
{
    struct smuggling smuggling;
    struct vector_line vector;
    unsigned count = 0;

    smuggling_open(&smuggling);
    vector_open(&vector, VECTORS_DIR "/smuggling/messages.txt");
    while (vector_next(&vector, 4)) {
        struct vet_result result;

        smuggle(&smuggling, vector.fields[1], vector.text, vector.length, &result);
        if (result.action == VET_FORWARD)
            fail_msg("%s: passed", vector.fields[0]);
        if (strcmp(reason_info(result.reason)->code, vector.fields[2]) != 0)
            fail_msg("%s: %s, not %s", vector.fields[0], reason_info(result.reason)->code,
                     vector.fields[2]);
        /* What is not strict JSON ends the connection, the rest does not. */
        assert_int_equal(result.action == VET_CLOSE, strncmp(vector.fields[2], "json_", 5) == 0);
        count++;
    }
    vector_close(&vector);
    smuggling_close(&smuggling);
    assert_true(count >= 150);
}

TEST(test_plain_twins_pass)
{
    struct smuggling smuggling;
    struct vector_line vector;
    unsigned count = 0;

    smuggling_open(&smuggling);
    vector_open(&vector, VECTORS_DIR "/smuggling/plain.txt");
    while (vector_next(&vector, 3)) {
        struct vet_result result;

        smuggle(&smuggling, vector.fields[1], vector.text, vector.length, &result);
        if (result.action != VET_FORWARD || !reason_allows(result.reason))
            fail_msg("%s: %s", vector.fields[0], reason_info(result.reason)->code);
        count++;
    }
    vector_close(&vector);
    smuggling_close(&smuggling);
    assert_true(count >= 20);
}

/* ---- Correlation ---- */

static void vet_text(struct vet_state *vetting, const struct vet_rules *rules,
                     enum direction direction, const char *text, struct vet_result *result)
{
    vet_message(vetting, scratch, rules, direction, text, strlen(text), true, result);
}

TEST(test_outstanding_limit)
{
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL)};
    struct vet_result result;
    struct vet_state *vetting;
    char text[128];

    assert_int_equal(vet_state_create(NULL, quota_surface(0), &vetting), OK);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < VET_OUTSTANDING_MAX; i++) {
            snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}", i);
            vet_text(vetting, &rules, DIRECTION_C2S, text, &result);
            assert_int_equal(result.action, VET_FORWARD);
        }
        vet_text(vetting, &rules, DIRECTION_C2S,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"more\",\"method\":\"ping\"}", &result);
        assert_int_equal(result.action, VET_REFUSE);
        assert_int_equal(result.reason, REASON_OUTSTANDING_LIMIT);
        assert_non_null(result.reply.data);
        /* The other direction has a limit of its own. */
        vet_text(vetting, &rules, DIRECTION_S2C,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"more\",\"method\":\"ping\"}", &result);
        assert_int_equal(result.action, VET_FORWARD);
        vet_text(vetting, &rules, DIRECTION_C2S,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"more\",\"result\":{}}", &result);
        assert_int_equal(result.action, VET_FORWARD);
        /* Answered in another order than asked: 7 is coprime to the count. */
        for (unsigned i = 0; i < VET_OUTSTANDING_MAX; i++) {
            snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{}}",
                     i * 7 % VET_OUTSTANDING_MAX);
            vet_text(vetting, &rules, DIRECTION_S2C, text, &result);
            assert_int_equal(result.action, VET_FORWARD);
            assert_string_equal(result.verb, "ping");
        }
    }
    vet_state_destroy(vetting);
    dialect_destroy(dialect);
}

#define COUNTED_STATES 6 /* of two sessions in turn */
#define COUNTED_IDS    40

struct counted {
    struct vet_state *state;
    bool asked[DIRECTION_COUNT][COUNTED_IDS];
};

/* Asks, answers or forgets one request, as it may be at the time. */
static void counted_step(struct counted *counted, const struct vet_rules *rules)
{
    enum direction direction = random() % 2 == 0 ? DIRECTION_C2S : DIRECTION_S2C;
    unsigned id = (unsigned)random() % COUNTED_IDS;
    bool *asked = &counted->asked[direction][id];
    struct vet_result result;
    char text[128];

    if (*asked && random() % 2 == 0) {
        snprintf(text, sizeof(text), "%u", id);
        vet_state_forget(counted->state, direction, text);
        *asked = false;
        return;
    }
    if (*asked && random() % 2 == 0) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{}}", id);
        vet_text(counted->state, rules, direction == DIRECTION_C2S ? DIRECTION_S2C : DIRECTION_C2S,
                 text, &result);
        assert_int_equal(result.action, VET_FORWARD);
        *asked = false;
        return;
    }
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}", id);
    vet_text(counted->state, rules, direction, text, &result);
    assert_int_equal(result.action, *asked ? VET_REFUSE : VET_FORWARD);
    *asked = true;
}

static unsigned counted_sum(const struct counted *all, unsigned session)
{
    unsigned sum = 0;

    for (unsigned i = session; i < COUNTED_STATES; i += 2) {
        for (unsigned id = 0; id < COUNTED_IDS; id++)
            sum += (unsigned)all[i].asked[DIRECTION_C2S][id] +
                   (unsigned)all[i].asked[DIRECTION_S2C][id];
    }
    return sum;
}

/* Whatever ends a request gives it back to the session; at the end nobody has anything. */
TEST(test_outstanding_is_given_back)
{
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL), .resumable = true};
    const struct quota_holder sessions[] = {quota_session(0, "one"), quota_session(0, "two")};
    struct counted all[COUNTED_STATES] = {0};
    struct quotas *quotas;

    srandom(9);
    assert_int_equal(quotas_create(1, &quotas), OK);
    for (unsigned round = 0; round < 20000; round++) {
        unsigned i = (unsigned)random() % COUNTED_STATES;

        if (all[i].state == NULL)
            assert_int_equal(vet_state_create(quotas, sessions[i % 2], &all[i].state), OK);
        if (random() % 200 == 0) {
            vet_state_destroy(all[i].state);
            all[i] = (struct counted){0};
        } else {
            counted_step(&all[i], &rules);
        }
        assert_int_equal(quota_held(quotas, QUOTA_OUTSTANDING, sessions[i % 2]),
                         counted_sum(all, i % 2));
    }
    assert_true(counted_sum(all, 0) > 0 && counted_sum(all, 1) > 0);
    for (unsigned i = 0; i < COUNTED_STATES; i++)
        vet_state_destroy(all[i].state);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(quota_held(quotas, QUOTA_OUTSTANDING, sessions[i]), 0);
    quotas_destroy(quotas);
    dialect_destroy(dialect);
}

/* Nothing is kept of sessions whose connections have ended: there may be any number. */
TEST(test_sessions_come_and_go)
{
    struct vet_state *vetting;
    struct quotas *quotas;
    char session[32];

    assert_int_equal(quotas_create(1, &quotas), OK);
    for (unsigned i = 0; i < 70000; i++) {
        snprintf(session, sizeof(session), "%u", i);
        assert_int_equal(vet_state_create(quotas, quota_session(0, session), &vetting), OK);
        vet_state_destroy(vetting);
    }
    quotas_destroy(quotas);
}

/* Thousands of idle connections have one of these each; busy hours leave nothing behind. */
TEST(test_idle_state_is_small)
{
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL)};
    struct vet_result result;
    struct vet_state *states[256];
    size_t before, after;
    char text[128];

    before = mallinfo2().uordblks;
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(vet_state_create(NULL, quota_surface(0), &states[i]), OK);
        for (unsigned j = 0; j < 40; j++) {
            snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}", j);
            vet_text(states[i], &rules, DIRECTION_C2S, text, &result);
            vet_text(states[i], &rules, DIRECTION_S2C, text, &result);
        }
        for (unsigned j = 0; j < 40; j++) {
            snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{}}", j);
            vet_text(states[i], &rules, DIRECTION_C2S, text, &result);
            assert_int_equal(result.action, VET_FORWARD);
            vet_text(states[i], &rules, DIRECTION_S2C, text, &result);
            assert_int_equal(result.action, VET_FORWARD);
        }
    }
    after = mallinfo2().uordblks;
    /* Some 160 bytes each, and what the allocator has not put back together: 60 more at times. */
    assert_true(after - before < (size_t)256 * 256);
    for (unsigned i = 0; i < 256; i++)
        vet_state_destroy(states[i]);
    dialect_destroy(dialect);
}

/* What a resumed stream may send again is the last answers, not all of them. */
TEST(test_answers_kept)
{
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL), .resumable = true};
    const unsigned count = 10 * VET_ANSWERED_MAX;
    struct vet_result result;
    struct vet_state *vetting;
    char text[128];

    assert_int_equal(vet_state_create(NULL, quota_surface(0), &vetting), OK);
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ping\"}", i);
        vet_text(vetting, &rules, DIRECTION_C2S, text, &result);
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{}}", i);
        vet_text(vetting, &rules, DIRECTION_S2C, text, &result);
        assert_int_equal(result.action, VET_FORWARD);
    }
    rules.replay = true;
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{}}", i);
        vet_text(vetting, &rules, DIRECTION_S2C, text, &result);
        assert_int_equal(result.action == VET_FORWARD, i >= count - VET_ANSWERED_MAX);
    }
    vet_state_destroy(vetting);
    dialect_destroy(dialect);
}

TEST(test_long_target_is_cut)
{
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL)};
    struct vet_result result;
    struct vet_state *vetting;
    char text[4096], target[VET_TARGET_BYTES_MAX + 500];

    memset(target, 'x', sizeof(target) - 1);
    target[sizeof(target) - 1] = '\0';
    snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\"}}",
        target);
    assert_int_equal(vet_state_create(NULL, quota_surface(0), &vetting), OK);
    vet_text(vetting, &rules, DIRECTION_C2S, text, &result);
    assert_int_equal(result.action, VET_FORWARD);
    assert_int_equal(strlen(result.target), VET_TARGET_BYTES_MAX);
    vet_state_destroy(vetting);
    dialect_destroy(dialect);
}

/* Of a WebSocket, whatever else is wrong with it, and whoever only observes. */
TEST(test_unchecked_text_is_utf8)
{
    static const char *const texts[] = {"{\"a\":\"\xff\"}", "{\"a\":1}}\xff", "[[[\xc3(",
                                        "nonsense \xff"};
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL), .unchecked = true};
    struct vet_result result;
    struct vet_state *vetting;

    assert_int_equal(vet_state_create(NULL, quota_surface(0), &vetting), OK);
    for (size_t i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = texts[i / 2];

        rules.observe = i % 2 != 0;
        vet_message(vetting, scratch, &rules, DIRECTION_C2S, text, strlen(text), true, &result);
        assert_int_equal(result.action, VET_CLOSE);
        assert_int_equal(result.reason, REASON_JSON_UTF8);
    }
    vet_state_destroy(vetting);
    dialect_destroy(dialect);
}

/* Whoever is only watched is held to the rate all the same, also with what is no message. */
TEST(test_what_is_too_much_passes_nowhere)
{
    static const char *const texts[] = {
        "nonsense", "{\"a\":1,\"a\":2}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/\\ud800\"}"};
    const struct json_limits limits[DIRECTION_COUNT] = {
        [DIRECTION_C2S] = {
            .depth = 9, .members = 9, .keys = 99, .values = 99, .refuse_unpaired = true}};
    struct dialect *dialect = pack_load("mcp");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL),
                              .limits = limits,
                              .late = REASON_RATE_MESSAGES,
                              .unchecked = true};
    struct vet_result result;
    struct vet_state *vetting;

    assert_int_equal(vet_state_create(NULL, quota_surface(0), &vetting), OK);
    for (size_t i = 0; i < 2 * sizeof(texts) / sizeof(texts[0]); i++) {
        const char *text = texts[i / 2];

        rules.observe = i % 2 != 0;
        vet_message(vetting, scratch, &rules, DIRECTION_C2S, text, strlen(text), true, &result);
        assert_true(result.action != VET_FORWARD);
        assert_int_equal(result.reason, REASON_RATE_MESSAGES);
    }
    vet_state_destroy(vetting);
    dialect_destroy(dialect);
}

TEST(test_opaque_text_is_utf8)
{
    struct dialect *dialect = pack_load("opaque");
    struct vet_rules rules = {.vocabulary = dialect_vocabulary(dialect, NULL)};
    struct vet_result result;
    struct vet_state *vetting;

    assert_int_equal(vet_state_create(NULL, quota_surface(0), &vetting), OK);
    vet_message(vetting, scratch, &rules, DIRECTION_C2S, "caf\xc3\xa9 and more", 14, true, &result);
    assert_int_equal(result.action, VET_FORWARD);
    vet_message(vetting, scratch, &rules, DIRECTION_C2S, "caf\xe9 and more words", 18, true,
                &result);
    assert_int_equal(result.action, VET_CLOSE);
    assert_int_equal(result.reason, REASON_JSON_UTF8);
    vet_message(vetting, scratch, &rules, DIRECTION_S2C, "\xff\x00\xfe", 3, false, &result);
    assert_int_equal(result.action, VET_FORWARD);
    vet_state_destroy(vetting);
    dialect_destroy(dialect);
}
