/* dialect.c, dialect_load.c: the shipped packs, and what a pack may not say. */
#include "dialect/dialect.h"

#include "packs.h"
#include "unit.h"

#include <stdint.h>
#include <string.h>

static const struct verb_rule *rule_of(const struct vocabulary *vocabulary,
                                       enum direction direction, const char *name)
{
    return vocabulary_verb(vocabulary, direction, span_of(name));
}

TEST(test_mcp)
{
    struct dialect *dialect = pack_load("mcp");
    const struct vocabulary *mcp = dialect_vocabulary(dialect, NULL);
    const struct verb_rule *rule;

    assert_string_equal(dialect->name, "mcp");
    assert_non_null(mcp);
    assert_ptr_equal(mcp, dialect_vocabulary(dialect, "mcp"));
    assert_null(dialect_vocabulary(dialect, "runs"));
    assert_int_equal(mcp->envelope, ENVELOPE_JSON_RPC);
    assert_false(mcp->open[DIRECTION_C2S] || mcp->open[DIRECTION_S2C]);

    rule = rule_of(mcp, DIRECTION_C2S, "tools/call");
    assert_non_null(rule);
    assert_true(rule->request && !rule->notification && !rule->always);
    assert_int_equal(rule->target_count, 1);
    assert_int_equal(rule->targets[0].kind, TARGET_NAME);
    assert_int_equal(rule->targets[0].depth, 2);
    assert_string_equal(rule->targets[0].keys[1], "name");
    rule = rule_of(mcp, DIRECTION_C2S, "completion/complete");
    assert_int_equal(rule->target_count, 2);
    assert_int_equal(rule->targets[1].kind, TARGET_URI);
    rule = rule_of(mcp, DIRECTION_C2S, "notifications/initialized");
    assert_true(rule->notification && !rule->request && rule->always);

    assert_null(rule_of(mcp, DIRECTION_S2C, "tools/call"));
    assert_null(rule_of(mcp, DIRECTION_C2S, "roots/list"));
    assert_non_null(rule_of(mcp, DIRECTION_S2C, "roots/list"));
    assert_null(rule_of(mcp, DIRECTION_C2S, "tools/cal"));
    assert_null(rule_of(mcp, DIRECTION_C2S, "tools/call "));
    assert_null(rule_of(mcp, DIRECTION_C2S, ""));
    assert_null(rule_of(mcp, DIRECTION_C2S, NULL));
    assert_null(vocabulary_verb(mcp, DIRECTION_C2S, (struct span){"ping\0", 5}));
    /* Every verb is found where it was put. */
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        for (size_t j = 0; j < mcp->verb_count[i]; j++)
            assert_ptr_equal(rule_of(mcp, (enum direction)i, mcp->verbs[i][j].name),
                             &mcp->verbs[i][j]);
    }
    rule = rule_of(mcp, DIRECTION_C2S, "subscriptions/listen");
    assert_int_equal(rule->target_count, 2);
    assert_int_equal(rule->targets[0].depth, 3);
    assert_int_equal(rule->targets[0].list, 3);
    assert_int_equal(rule->targets[1].kind, TARGET_HANDLE);
    assert_string_equal(rule->targets[1].keys[2], "taskIds");
    rule = rule_of(mcp, DIRECTION_C2S, "tools/call");
    assert_int_equal(rule->give_count, 2);
    assert_int_equal(rule->gives[1].depth, 3);
    assert_int_equal(mcp->handle_count, 1);
    assert_int_equal(mcp->handles[0].depth, 4);
    assert_int_equal(mcp->descend.count, 4);
    assert_true(text_list_contains(&mcp->descend, span_of("params")));
    assert_true(text_list_contains(&mcp->descend, span_of("notifications")));
    assert_true(text_list_contains(&mcp->descend, span_of("ref")));
    dialect_destroy(dialect);
}

static size_t count_off(const struct vocabulary *vocabulary, enum direction direction)
{
    size_t count = 0;

    for (size_t i = 0; i < vocabulary->verb_count[direction]; i++)
        count += vocabulary->verbs[direction][i].off && vocabulary->verbs[direction][i].extension;
    return count;
}

/* Every method of every revision, as the specification has them. */
TEST(test_mcp_methods)
{
    static const char *const client[] = {"initialize",
                                         "ping",
                                         "logging/setLevel",
                                         "resources/subscribe",
                                         "resources/unsubscribe",
                                         "server/discover",
                                         "subscriptions/listen",
                                         "tools/list",
                                         "prompts/list",
                                         "resources/list",
                                         "resources/templates/list",
                                         "tools/call",
                                         "prompts/get",
                                         "resources/read",
                                         "completion/complete",
                                         "tasks/get",
                                         "tasks/cancel",
                                         "tasks/result",
                                         "tasks/list",
                                         "tasks/update",
                                         "notifications/initialized",
                                         "notifications/roots/list_changed",
                                         "notifications/progress",
                                         "notifications/cancelled",
                                         "notifications/tasks/status"};
    static const char *const server[] = {"ping",
                                         "sampling/createMessage",
                                         "roots/list",
                                         "elicitation/create",
                                         "tasks/get",
                                         "tasks/cancel",
                                         "tasks/result",
                                         "tasks/list",
                                         "notifications/message",
                                         "notifications/progress",
                                         "notifications/cancelled",
                                         "notifications/resources/updated",
                                         "notifications/tools/list_changed",
                                         "notifications/prompts/list_changed",
                                         "notifications/resources/list_changed",
                                         "notifications/elicitation/complete",
                                         "notifications/tasks/status",
                                         "notifications/subscriptions/acknowledged",
                                         "notifications/tasks"};
    struct dialect *dialect = pack_load("mcp");
    const struct vocabulary *mcp = dialect_vocabulary(dialect, NULL);

    /* And those of extensions, all of them off. */
    assert_int_equal(count_off(mcp, DIRECTION_C2S), 8);
    assert_int_equal(count_off(mcp, DIRECTION_S2C), 6);
    assert_int_equal(mcp->verb_count[DIRECTION_C2S], sizeof(client) / sizeof(*client) + 8);
    assert_int_equal(mcp->verb_count[DIRECTION_S2C], sizeof(server) / sizeof(*server) + 6);
    assert_true(dialect_enable(dialect, "skills"));
    assert_int_equal(count_off(mcp, DIRECTION_C2S), 5);
    assert_false(dialect_enable(dialect, "skill"));
    for (size_t i = 0; i < sizeof(client) / sizeof(*client); i++)
        assert_non_null(rule_of(mcp, DIRECTION_C2S, client[i]));
    for (size_t i = 0; i < sizeof(server) / sizeof(*server); i++)
        assert_non_null(rule_of(mcp, DIRECTION_S2C, server[i]));
    for (unsigned i = 0; i < DIRECTION_COUNT; i++) {
        for (size_t j = 0; j < mcp->verb_count[i]; j++) {
            const struct verb_rule *rule = &mcp->verbs[i][j];

            assert_int_equal(rule->notification, strncmp(rule->name, "notifications/", 14) == 0);
            assert_int_equal(rule->request, !rule->notification);
        }
    }
    dialect_destroy(dialect);
}

TEST(test_autogen_studio)
{
    struct dialect *dialect = pack_load("autogen-studio");
    const struct vocabulary *socket = dialect_vocabulary(dialect, NULL);
    const struct vocabulary *runs = dialect_vocabulary(dialect, "runs");

    assert_non_null(runs);
    assert_string_equal(socket->name, "mcp-socket");
    assert_int_equal(socket->envelope, ENVELOPE_TYPED);
    assert_string_equal(socket->verb_key, "type");
    assert_string_equal(socket->operation_value, "operation");
    assert_string_equal(socket->operation_key, "operation");
    assert_string_equal(socket->refusal, "{\"type\":\"operation_error\",\"operation\":\"$verb\","
                                         "\"error\":\"$reason\"}");
    assert_true(rule_of(socket, DIRECTION_C2S, "call_tool")->operation);
    assert_false(rule_of(socket, DIRECTION_C2S, "ping")->operation);
    assert_true(rule_of(socket, DIRECTION_C2S, "ping")->always);
    assert_int_equal(socket->descend.count, 0);
    assert_string_equal(rule_of(runs, DIRECTION_C2S, "start")->match_key, "team_config");
    assert_null(rule_of(runs, DIRECTION_C2S, "stop")->match_key);
    assert_true(runs->open[DIRECTION_S2C]);
    assert_false(runs->open[DIRECTION_C2S]);
    dialect_destroy(dialect);
}

TEST(test_open_and_opaque)
{
    struct dialect *json_rpc = pack_load("json-rpc"), *opaque = pack_load("opaque");

    assert_int_equal(dialect_vocabulary(json_rpc, NULL)->envelope, ENVELOPE_JSON_RPC);
    assert_true(dialect_vocabulary(json_rpc, NULL)->open[DIRECTION_C2S]);
    assert_true(dialect_vocabulary(json_rpc, NULL)->open[DIRECTION_S2C]);
    assert_null(rule_of(dialect_vocabulary(json_rpc, NULL), DIRECTION_C2S, "x"));
    assert_int_equal(dialect_vocabulary(opaque, NULL)->envelope, ENVELOPE_OPAQUE);
    dialect_destroy(json_rpc);
    dialect_destroy(opaque);
}

TEST(test_filters_and_asks)
{
    struct dialect *dialect = pack_load("mcp");
    const struct vocabulary *mcp = dialect_vocabulary(dialect, NULL);
    const struct verb_rule *rule = rule_of(mcp, DIRECTION_C2S, "resources/templates/list");

    assert_string_equal(mcp->asks_key, "inputRequests");
    assert_false(mcp->bare);
    assert_null(mcp->session_key);
    assert_string_equal(rule->filter_items, "resourceTemplates");
    assert_string_equal(rule->filter_name, "uriTemplate");
    assert_int_equal(rule->filter_kind, TARGET_URI);
    assert_null(rule_of(mcp, DIRECTION_C2S, "tools/call")->filter_items);
    assert_int_equal(rule_of(mcp, DIRECTION_C2S, "tools/list")->filter_kind, TARGET_NAME);
    dialect_destroy(dialect);

    dialect = pack_load("cdp");
    mcp = dialect_vocabulary(dialect, NULL);
    assert_true(mcp->bare);
    assert_null(mcp->asks_key);
    assert_string_equal(mcp->session_key, "sessionId");
    rule = rule_of(mcp, DIRECTION_C2S, "Page.navigate");
    assert_int_equal(rule->within.count, 3);
    assert_false(rule->never);
    assert_true(rule_of(mcp, DIRECTION_C2S, "Storage.getCookies")->never);
    dialect_destroy(dialect);
}

TEST(test_several_vocabularies)
{
    static const char text[] =
        "{\"name\":\"x\",\"vocabularies\":[{\"name\":\"b\",\"envelope\":\"opaque\"},"
        "{\"name\":\"a\",\"envelope\":\"json-rpc\",\"verbs\":{\"c2s\":{\"m\":{\"match\":\"v\"}}}}],"
        "\"routes\":[{\"whatever\":1}]}";
    static struct json_faults faults_found;
    struct dialect *dialect;

    assert_int_equal(pack_read(text, strlen(text), &dialect, &faults_found), OK);
    assert_string_equal(dialect_vocabulary(dialect, NULL)->name, "b");
    assert_string_equal(dialect_vocabulary(dialect, "a")->name, "a");
    assert_true(text_list_contains(&dialect_vocabulary(dialect, "a")->descend, span_of("params")));
    dialect_destroy(dialect);
}

struct fault_case {
    const char *text;
    const char *pointer;
    const char *part; /* of the sentence */
};

#define VOCABULARY(members) "{\"name\":\"x\",\"vocabularies\":[{\"name\":\"v\"," members "}]}"
#define JSON_RPC_VERB(rule)                                                                        \
    VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"c2s\":{\"a/b~c\":" rule "}}")
#define TYPED(members) VOCABULARY("\"envelope\":\"typed\",\"verb_key\":\"t\"," members)
#define TARGET         "{\"targets\":[{\"name\":[\"params\",\"n\"]}]"
#define AT_VERB        "/vocabularies/0/verbs/c2s/a~1b~0c"

static const struct fault_case faults[] = {
    {"", "", "not strict JSON"},
    {"{", "", "not strict JSON"},
    {"{\"name\":\"x\",\"name\":\"y\"}", "", "not strict JSON"},
    {"[]", "", "must be an object"},
    {"{}", "", "\"name\" is missing"},
    {"{\"name\":\"\"}", "/name", "letter or digit"},
    {"{\"name\":\"a b\"}", "/name", "letter or digit"},
    {"{\"name\":\"x\"}", "", "\"vocabularies\" is missing"},
    {"{\"name\":\"x\",\"vocabularies\":[]}", "/vocabularies", "is empty"},
    {"{\"name\":\"x\",\"vocabularies\":[1]}", "/vocabularies/0/envelope", "needs one of"},
    {"{\"name\":\"x\",\"vocabulary\":[]}", "/vocabulary", "is not a key of"},
    {"{\"name\":\"x\",\"vocabularies\":[{\"name\":\"v\",\"envelope\":\"opaque\"},"
     "{\"name\":\"v\",\"envelope\":\"opaque\"}]}",
     "/vocabularies/1", "has this name"},
    {VOCABULARY("\"about\":\"y\""), "/vocabularies/0/envelope", "needs one of"},
    {"{\"name\":\"x\",\"vocabularies\":[{\"name\":\"v\"},{\"name\":\"v\","
     "\"envelope\":\"opaque\"}]}",
     "/vocabularies/0/envelope", "needs one of"},
    {VOCABULARY("\"envelope\":\"xml\""), "/vocabularies/0/envelope", "needs one of"},
    {VOCABULARY("\"envelope\":\"opaque\",\"verbs\":{}"), "/vocabularies/0/verbs",
     "is not a key of"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verb_key\":\"t\""), "/vocabularies/0/verb_key",
     "is not a key of"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"open\":true"), "/vocabularies/0/open",
     "must be a list"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"open\":[\"both\"]"), "/vocabularies/0/open",
     "must be a list"},
    {VOCABULARY("\"envelope\":\"typed\""), "/vocabularies/0", "\"verb_key\" is missing"},
    {TYPED("\"operation\":{\"value\":\"o\"}"), "/vocabularies/0/operation", "\"key\" is missing"},
    {TYPED("\"operation\":{\"value\":\"o\",\"key\":\"k\",\"x\":1}"), "/vocabularies/0/operation/x",
     "is not a key of"},
    {TYPED("\"verbs\":{\"c2s\":{\"v\":{\"as\":\"operation\"}}}"), "/vocabularies/0/verbs/c2s/v/as",
     "where the vocabulary has one"},
    {TYPED("\"refusal\":\"no\""), "/vocabularies/0/refusal", "an object"},
    {TYPED("\"refusal\":{\"a\":{}}"), "/vocabularies/0/refusal", "no objects"},
    {TYPED("\"refusal\":{\"a\":\"x $verb\"}"), "/vocabularies/0/refusal", "A $"},
    {TYPED("\"refusal\":{\"$verb\":\"x\"}"), "/vocabularies/0/refusal", "A $"},
    {TYPED("\"refusal\":{\"a\":\"$other\"}"), "/vocabularies/0/refusal", "A $"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"up\":{}}"), "/vocabularies/0/verbs/up",
     "is not a key of"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"c2s\":[]}"), "/vocabularies/0/verbs/c2s",
     "must be an object"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"c2s\":{\"\":{}}}"),
     "/vocabularies/0/verbs/c2s/", "1 to"},
    {JSON_RPC_VERB("1"), AT_VERB, "an object"},
    {JSON_RPC_VERB("{\"x\":1}"), AT_VERB "/x", "is not a key of"},
    {JSON_RPC_VERB("{\"always\":1}"), AT_VERB "/always", "true or false"},
    {JSON_RPC_VERB("{\"never\":\"yes\"}"), AT_VERB "/never", "true or false"},
    {JSON_RPC_VERB("{\"never\":true,\"always\":true}"), AT_VERB, "both"},
    {JSON_RPC_VERB("{\"within\":[\"a\"]}"), AT_VERB "/within", "where there are no targets"},
    {JSON_RPC_VERB(TARGET ",\"within\":[]}"), AT_VERB "/within", "is empty"},
    {JSON_RPC_VERB(TARGET ",\"within\":[1]}"), AT_VERB "/within/0", "a string"},
    {JSON_RPC_VERB("{\"optional\":true}"), AT_VERB "/optional", "no targets"},
    {JSON_RPC_VERB(TARGET ",\"each\":true}"), AT_VERB "/each", "no more than one"},
    {JSON_RPC_VERB("{\"only\":{}}"), AT_VERB "/only", "is empty"},
    {JSON_RPC_VERB("{\"only\":{\"a\":[1]}}"), AT_VERB "/only/a/0", "a string"},
    {JSON_RPC_VERB("{\"as\":\"notification\",\"quiet\":true}"), AT_VERB "/quiet", "requests"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"s2c\":{\"a\":{\"only\":{\"a\":[]}}}}"),
     "/vocabularies/0/verbs/s2c/a/only", "a client says"},
    {JSON_RPC_VERB("{\"filter\":[]}"), AT_VERB "/filter", "an object"},
    {JSON_RPC_VERB("{\"filter\":{\"items\":\"i\"}}"), AT_VERB "/filter", "\"name\" is missing"},
    {JSON_RPC_VERB("{\"filter\":{\"items\":\"i\",\"name\":\"n\",\"kind\":\"x\"}}"),
     AT_VERB "/filter/kind", "must be"},
    {JSON_RPC_VERB("{\"filter\":{\"items\":\"i\",\"name\":\"n\",\"x\":1}}"), AT_VERB "/filter/x",
     "is not a key of"},
    {JSON_RPC_VERB("{\"as\":\"notification\",\"filter\":{}}"), AT_VERB "/filter",
     "Only the answers"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"s2c\":{\"a\":{\"filter\":{}}}}"),
     "/vocabularies/0/verbs/s2c/a/filter", "Only the answers"},
    {TYPED("\"verbs\":{\"c2s\":{\"a\":{\"filter\":{}}}}"), "/vocabularies/0/verbs/c2s/a/filter",
     "Only the answers"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"jsonrpc\":\"no\""), "/vocabularies/0/jsonrpc",
     "true or false"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"session\":\"\""), "/vocabularies/0/session",
     "not be empty"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"asks\":1"), "/vocabularies/0/asks", "a string"},
    {TYPED("\"asks\":\"x\""), "/vocabularies/0/asks", "is not a key of"},
    {JSON_RPC_VERB("{\"as\":\"operation\"}"), AT_VERB "/as", "must be"},
    {JSON_RPC_VERB("{\"as\":1}"), AT_VERB "/as", "must be"},
    {JSON_RPC_VERB("{\"always\":1}"), AT_VERB "/always", "true or false"},
    {JSON_RPC_VERB("{\"match\":1}"), AT_VERB "/match", "must be a string"},
    {JSON_RPC_VERB("{\"targets\":{}}"), AT_VERB "/targets", "must be an array"},
    {JSON_RPC_VERB("{\"targets\":[]}"), AT_VERB "/targets", "is empty"},
    {JSON_RPC_VERB("{\"targets\":[1]}"), AT_VERB "/targets/0", "an object"},
    {JSON_RPC_VERB("{\"targets\":[{}]}"), AT_VERB "/targets/0", "either"},
    {JSON_RPC_VERB("{\"targets\":[{\"path\":[]}]}"), AT_VERB "/targets/0", "either"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\",\"a\"],\"uri\":[\"params\",\"b\"]}]}"),
     AT_VERB "/targets/0", "either"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[]}]}"), AT_VERB "/targets/0", "1 to 4 keys"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}]}"),
     AT_VERB "/targets/0", "1 to 4 keys"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"[]\",\"params\"]}]}"), AT_VERB "/targets/0",
     "stands behind"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\",\"a\",\"[]\",\"[]\"]}]}"),
     AT_VERB "/targets/0", "stands behind"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\",\"[]\",\"a\",\"b\"]}]}"),
     AT_VERB "/targets/0", "stands behind"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\",\"[]\"]}]}"), AT_VERB "/targets/0",
     "below \"params\""},
    {JSON_RPC_VERB("{\"gives\":[[\"params\",\"a\"]]}"), AT_VERB "/gives", "Handles are given"},
    {JSON_RPC_VERB("{\"gives\":[[\"result\"]]}"), AT_VERB "/gives", "Handles are given"},
    {JSON_RPC_VERB("{\"gives\":[[\"result\",\"a\",\"[]\"]]}"), AT_VERB "/gives/0", "no \"[]\""},
    {JSON_RPC_VERB("{\"as\":\"notification\",\"gives\":[[\"result\",\"a\"]]}"), AT_VERB "/gives",
     "Handles are given"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"verbs\":{\"s2c\":{\"a\":{\"gives\":[[\"result\","
                "\"a\"]]}}}"),
     "/vocabularies/0/verbs/s2c/a/gives", "Handles are given"},
    {TYPED("\"verbs\":{\"s2c\":{\"a\":{\"gives\":[[\"params\",\"a\"]]}}}"),
     "/vocabularies/0/verbs/s2c/a/gives", "Handles are given"},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"handles\":[[\"result\",\"a\"]]"),
     "/vocabularies/0/handles/0", "below \"params\""},
    {VOCABULARY("\"envelope\":\"json-rpc\",\"asks_by_error\":{\"member\":\"m\"}"),
     "/vocabularies/0/asks_by_error", "\"verb\" is missing"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\",\"\"]}]}"), AT_VERB "/targets/0",
     "not be empty"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\",\"a\\n\"]}]}"), AT_VERB "/targets/0",
     "control"},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"result\",\"a\"]}]}"), AT_VERB "/targets/0",
     "below \"params\""},
    {JSON_RPC_VERB("{\"targets\":[{\"name\":[\"params\"]}]}"), AT_VERB "/targets/0",
     "below \"params\""},
};

static bool is_among(const struct json_faults *found, const struct fault_case *wanted)
{
    for (size_t i = 0; i < found->count; i++) {
        if (strcmp(found->items[i].pointer, wanted->pointer) == 0 &&
            strstr(found->items[i].text, wanted->part) != NULL)
            return true;
    }
    return false;
}

TEST(test_faults)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        const struct fault_case *item = &faults[i];
        struct dialect *dialect = NULL;
        static struct json_faults faults_found;
        enum error error = pack_read(item->text, strlen(item->text), &dialect, &faults_found);

        if (error != ERROR_INVALID || !is_among(&faults_found, item))
            fail_msg("%s: %zu faults, the first at \"%s\": %s", item->text, faults_found.count,
                     faults_found.items[0].pointer, faults_found.items[0].text);
        assert_null(dialect);
    }
}

/* Limits hold, and a NUL, which jansson passes over behind a number, does not pass. */
TEST(test_limits)
{
    static const char nul[] = "{\"name\":\"x\",\"vocabularies\":[],\"routes\":1\0}";
    char *large = calloc(1, DIALECT_BYTES_MAX + 1);
    struct dialect *dialect = NULL;
    static struct json_faults faults_found;

    assert_non_null(large);
    memset(large, ' ', DIALECT_BYTES_MAX + 1);
    assert_int_equal(pack_read(large, DIALECT_BYTES_MAX + 1, &dialect, &faults_found),
                     ERROR_INVALID);
    assert_int_equal(pack_read(large, DIALECT_BYTES_MAX, &dialect, &faults_found), ERROR_INVALID);
    assert_int_equal(pack_read(nul, sizeof(nul) - 1, &dialect, &faults_found), ERROR_INVALID);
    assert_non_null(strstr(faults_found.items[0].text, "NUL"));
    free(large);
}

/* Every beginning of a shipped pack is refused and leaks nothing. */
TEST(test_beginnings)
{
    struct dialect *dialect = NULL;
    static struct json_faults faults_found;
    struct span text = dialect_shipped("autogen-studio");

    for (size_t cut = 0; cut + 2 < text.length; cut++)
        assert_int_equal(pack_read(text.data, cut, &dialect, &faults_found), ERROR_INVALID);
}
