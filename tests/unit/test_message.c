/* message.c: what is read out of a message; what is refused is in the vectors of test_vet.c. */
#include "vet/message.h"

#include "packs.h"
#include "scan_fixture.h"

#include <stdint.h>
#include <string.h>

static struct dialect *mcp, *json_rpc, *studio;

static int set_up(void **state)
{
    mcp = pack_load("mcp");
    json_rpc = pack_load("json-rpc");
    studio = pack_load("autogen-studio");
    return scan_set_up(state);
}

static int tear_down(void **state)
{
    dialect_destroy(mcp);
    dialect_destroy(json_rpc);
    dialect_destroy(studio);
    return scan_tear_down(state);
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

static enum reason read_as(const struct vocabulary *vocabulary, enum direction direction,
                           const char *text, struct message *out)
{
    assert_int_equal(json_scan_text(scan, text, strlen(text), &vocabulary->descend),
                     REASON_ALLOWED);
    return message_read(scan, vocabulary, direction, out);
}

static enum reason read_mcp(const char *text, struct message *out)
{
    return read_as(dialect_vocabulary(mcp, NULL), DIRECTION_C2S, text, out);
}

TEST(test_request)
{
    struct message message;

    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":\"q-1\",\"method\":\"tools/call\","
                              "\"params\":{\"name\":\"echo\"}}",
                              &message),
                     REASON_ALLOWED);
    assert_int_equal(message.kind, MESSAGE_REQUEST);
    assert_true(span_equals(message.id, "\"q-1\""));
    assert_true(span_equals(message.id_key, "\"q-1\""));
    assert_true(span_equals(message.verb, "tools/call"));
    assert_true(span_equals(message.target, "echo"));
    assert_int_equal(message.target_kind, TARGET_NAME);
    assert_non_null(message.rule);
    assert_string_equal(message.rule->name, "tools/call");
    assert_null(message.match.data);
}

TEST(test_escapes_are_undone)
{
    struct message message;

    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":\"\\u0071\\\"\",\"method\":"
                              "\"resources\\/read\",\"params\":{\"uri\":\"file:\\/\\/\\u00e9\"}}",
                              &message),
                     REASON_ALLOWED);
    assert_true(span_equals(message.id, "\"\\u0071\\\"\""));
    assert_true(span_equals(message.id_key, "\"q\"\""));
    assert_true(span_equals(message.verb, "resources/read"));
    assert_true(span_equals(message.target, "file://\xc3\xa9"));
    assert_int_equal(message.target_kind, TARGET_URI);
    assert_false(message.target_too_long);
}

TEST(test_kinds)
{
    struct message message;

    assert_int_equal(
        read_mcp("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", &message),
        REASON_ALLOWED);
    assert_int_equal(message.kind, MESSAGE_NOTIFICATION);
    assert_null(message.id.data);
    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":-3,\"result\":null}", &message),
                     REASON_ALLOWED);
    assert_int_equal(message.kind, MESSAGE_RESPONSE);
    assert_true(span_equals(message.id_key, "-3"));
    assert_null(message.verb.data);
    assert_int_equal(
        read_mcp("{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":\"\"}}",
                 &message),
        REASON_ALLOWED);
    assert_int_equal(message.kind, MESSAGE_RESPONSE);
    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":3}", &message), REASON_SHAPE_KIND);
    assert_int_equal(message.kind, MESSAGE_OTHER);
    assert_int_equal(read_mcp("[]", &message), REASON_BATCH_REFUSED);
    assert_int_equal(message.kind, MESSAGE_OTHER);
    /* Strings and numbers with the same characters are different ids. */
    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"result\":1}", &message),
                     REASON_ALLOWED);
    assert_true(span_equals(message.id_key, "\"3\""));
}

/* What a refusal needs is read even if the message is refused. */
TEST(test_refused_but_read)
{
    struct message message;

    assert_int_equal(
        read_mcp("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"ping\",\"x\":1}", &message),
        REASON_KEY_UNKNOWN);
    assert_int_equal(message.kind, MESSAGE_REQUEST);
    assert_true(span_equals(message.id, "4"));
    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"nope\"}", &message),
                     REASON_VERB_UNKNOWN);
    assert_true(span_equals(message.verb, "nope"));
    assert_null(message.rule);
    assert_int_equal(read_mcp("{\"jsonrpc\":\"2.0\",\"id\":4.5,\"method\":\"ping\"}", &message),
                     REASON_ID_NUMBER);
    assert_null(message.id.data);
    assert_int_equal(message.kind, MESSAGE_REQUEST);
}

TEST(test_id_limits)
{
    char text[512], id[MESSAGE_ID_BYTES_MAX + 2];
    struct message message;

    memset(id, 'i', sizeof(id));
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"%.*s\",\"method\":\"ping\"}",
             MESSAGE_ID_BYTES_MAX, id);
    assert_int_equal(read_mcp(text, &message), REASON_ALLOWED);
    assert_int_equal(message.id_key.length, MESSAGE_ID_BYTES_MAX + 2);
    /* The escaped form counts, so that a reply that repeats it is bounded. */
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"\\n%.*s\",\"method\":\"ping\"}",
             MESSAGE_ID_BYTES_MAX - 2, id);
    assert_int_equal(read_mcp(text, &message), REASON_ALLOWED);
    assert_int_equal(message.id_key.length, MESSAGE_ID_BYTES_MAX + 1);
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"\\n%.*s\",\"method\":\"ping\"}",
             MESSAGE_ID_BYTES_MAX - 1, id);
    assert_int_equal(read_mcp(text, &message), REASON_ID_LONG);
}

TEST(test_open_vocabulary)
{
    const struct vocabulary *vocabulary = dialect_vocabulary(json_rpc, NULL);
    struct message message;

    assert_int_equal(read_as(vocabulary, DIRECTION_S2C,
                             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\",\"params\":[1]}",
                             &message),
                     REASON_ALLOWED);
    assert_null(message.rule);
    assert_null(message.target.data);
    assert_true(span_equals(message.verb, "a.b"));
    assert_int_equal(read_as(vocabulary, DIRECTION_C2S,
                             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a.b\",\"params\":\"x\"}",
                             &message),
                     REASON_SHAPE_PARAMS);
}

/* What stands for several mistakes says which of them it was. */
TEST(test_causes)
{
    static const struct {
        const char *text;
        enum reason reason;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null}", REASON_SHAPE_ERROR},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":null,\"result\":{}}", REASON_SHAPE_RESPONSE},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"params\":{}}", REASON_SHAPE_RESPONSE},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}", REASON_RESPONSE_NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":null}", REASON_SHAPE_PARAMS},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", REASON_SHAPE_METHOD},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", REASON_SHAPE_NOTIFICATION},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", REASON_SHAPE_VERSION},
        {"{\"id\":1,\"method\":\"ping\"}", REASON_SHAPE_VERSION},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", REASON_ID_NULL},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", REASON_ID_TYPE},
        {"{\"jsonrpc\":\"2.0\",\"id\":-0,\"method\":\"ping\"}", REASON_ID_NUMBER},
        {"{\"jsonrpc\":\"2.0\",\"result\":{}}", REASON_ID_MISSING},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct message message;
        enum reason reason = read_mcp(cases[i].text, &message);

        if (reason != cases[i].reason)
            fail_msg("%s: %s", cases[i].text, reason_info(reason)->text);
    }
}

TEST(test_typed)
{
    const struct vocabulary *socket = dialect_vocabulary(studio, "mcp-socket");
    const struct vocabulary *runs = dialect_vocabulary(studio, "runs");
    struct message message;

    assert_int_equal(read_as(socket, DIRECTION_C2S,
                             "{\"operation\":\"call_tool\",\"tool_name\":\"echo\",\"type\":"
                             "\"operation\"}",
                             &message),
                     REASON_ALLOWED);
    assert_int_equal(message.kind, MESSAGE_TYPED);
    assert_true(span_equals(message.verb, "call_tool"));
    assert_true(span_equals(message.target, "echo"));
    assert_int_equal(read_as(socket, DIRECTION_S2C,
                             "{\"type\":\"operation_result\",\"operation\":\"call_tool\"}",
                             &message),
                     REASON_ALLOWED);
    assert_true(span_equals(message.verb, "operation_result"));
    assert_int_equal(read_as(runs, DIRECTION_C2S,
                             "{\"type\":\"start\",\"team_config\":{ \"a\" : 1 }}", &message),
                     REASON_ALLOWED);
    assert_true(span_equals(message.match, "{ \"a\" : 1 }"));
    assert_int_equal(read_as(runs, DIRECTION_C2S, "{\"type\":\"start\"}", &message),
                     REASON_ALLOWED);
    assert_null(message.match.data);
}

static enum reason read_ask(const struct vocabulary *vocabulary, const char *text,
                            struct message *out)
{
    assert_int_equal(json_scan_text(scan, text, strlen(text), &vocabulary->descend),
                     REASON_ALLOWED);
    return message_read_ask(scan, vocabulary, out);
}

/* A request within an answer has a method and params, and nothing that a message has besides. */
TEST(test_asks)
{
    static const char pack[] = "{\"name\":\"x\",\"vocabularies\":[{\"name\":\"v\",\"envelope\":"
                               "\"json-rpc\",\"session\":\"sid\",\"asks\":\"a\",\"verbs\":{\"s2c\":"
                               "{\"ask\":{},\"tell\":{\"as\":\"notification\"}}}}]}";
    const struct vocabulary *vocabulary;
    static struct json_faults faults;
    struct dialect *dialect;
    struct message message;

    assert_int_equal(pack_read(pack, strlen(pack), &dialect, &faults), OK);
    vocabulary = dialect_vocabulary(dialect, NULL);
    assert_int_equal(read_ask(vocabulary, "{\"params\":{},\"method\":\"ask\"}", &message),
                     REASON_ALLOWED);
    assert_string_equal(message.rule->name, "ask");
    assert_null(message.id.data);
    assert_int_equal(read_ask(vocabulary, "{\"method\":\"ask\",\"sid\":\"s\"}", &message),
                     REASON_KEY_UNKNOWN);
    assert_int_equal(read_ask(vocabulary, "{\"method\":\"ask\",\"id\":1}", &message),
                     REASON_KEY_UNKNOWN);
    assert_int_equal(read_ask(vocabulary, "{\"method\":\"ask\",\"result\":1}", &message),
                     REASON_KEY_UNKNOWN);
    assert_int_equal(read_ask(vocabulary, "{\"method\":\"tell\"}", &message),
                     REASON_SHAPE_NOTIFICATION);
    assert_int_equal(read_ask(vocabulary, "{\"method\":\"other\"}", &message), REASON_VERB_UNKNOWN);
    assert_int_equal(read_ask(vocabulary, "[]", &message), REASON_SHAPE_ASKS);
    dialect_destroy(dialect);
}
