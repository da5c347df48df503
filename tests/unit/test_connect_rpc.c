/* connect/message/rpc.c: what a message is, and the errors that answer one. */
#include <stddef.h>
#include <stdint.h>

#include "connect/message/rpc.h"

#include "unit.h"

#include <string.h>

static struct json_scan *scan;
static char text[65536];

static int set_up(void **state)
{
    (void)state;
    return json_scan_create(&scan) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_scan_destroy(scan);
    return 0;
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

static enum error read_text(const char *message, struct rpc *rpc)
{
    strcpy(text, message);
    return rpc_read(scan, text, strlen(text), rpc);
}

TEST(test_kinds)
{
    static const struct {
        const char *text;
        enum error error;
        enum rpc_kind kind;
        const char *key;
    } cases[] = {
        {"{\"id\":1,\"method\":\"ping\"}", OK, RPC_REQUEST, "1"},
        {"{\"id\":\"a\\u0062\",\"method\":\"ping\"}", OK, RPC_REQUEST, "\"ab"},
        {"{\"method\":\"ping\"}", OK, RPC_NOTIFICATION, ""},
        {"{\"id\":null,\"method\":\"ping\"}", OK, RPC_NOTIFICATION, ""},
        {"{\"id\":2,\"result\":{}}", OK, RPC_RESPONSE, "2"},
        {"{\"id\":null,\"error\":{}}", OK, RPC_RESPONSE, ""},
        {"{\"id\":3,\"method\":\"x\",\"result\":{}}", ERROR_INVALID, RPC_OTHER, "3"},
        {"{\"id\":4}", ERROR_INVALID, RPC_OTHER, "4"},
        {"{\"id\":1.5,\"method\":\"x\"}", ERROR_INVALID, RPC_OTHER, ""},
        {"{\"id\":{},\"method\":\"x\"}", ERROR_INVALID, RPC_OTHER, ""},
        {"{\"id\":5,\"method\":7}", ERROR_INVALID, RPC_OTHER, "5"},
        {"[{\"id\":6,\"method\":\"x\"}]", ERROR_INVALID, RPC_OTHER, ""},
        {"{\"id\":7,\"id\":8,\"method\":\"x\"}", ERROR_SYNTAX, RPC_OTHER, ""},
        {"{\"method\":\"x\"", ERROR_SYNTAX, RPC_OTHER, ""},
        {"", ERROR_SYNTAX, RPC_OTHER, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rpc rpc;

        assert_int_equal(read_text(cases[i].text, &rpc), cases[i].error);
        assert_int_equal(rpc.kind, cases[i].kind);
        assert_string_equal(rpc.id_key, cases[i].key);
    }
}

TEST(test_era)
{
    struct rpc rpc;
    char key[RPC_ID_KEY_SIZE];

    assert_int_equal(read_text("{\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"io."
                               "modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
                               &rpc),
                     OK);
    assert_string_equal(rpc.version, "2026-07-28");
    assert_int_equal(read_text("{\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":"
                               "\"a\"}}",
                               &rpc),
                     OK);
    assert_string_equal(rpc.version, "");
    assert_true(rpc_cancelled_key(scan, key));
    assert_string_equal(key, "\"a");
    assert_int_equal(read_text("{\"method\":\"x\",\"params\":[]}", &rpc), OK);
    assert_false(rpc_cancelled_key(scan, key));
}

/* More members than the scanner records do not keep a message from passing. */
TEST(test_many_members)
{
    struct rpc rpc;
    struct buffer message;

    buffer_init(&message, sizeof(text));
    buffer_append_text(&message, "{\"id\":1,\"method\":\"x\",\"params\":{");
    for (int i = 0; i < 2 * JSON_RECORDED_MAX; i++)
        buffer_append_format(&message, "%s\"m%d\":0", i > 0 ? "," : "", i);
    buffer_append_text(&message, "}}");
    assert_int_equal(read_text(message.data, &rpc), OK);
    assert_string_equal(rpc.id_key, "1");
    buffer_clear(&message);
}

TEST(test_one_line)
{
    struct rpc rpc;

    assert_int_equal(read_text("{\r\n\"id\":1,\n\t\"result\" : {\"a\":\"b\\nc\"}\r}", &rpc), OK);
    assert_string_equal(text, "{  \"id\":1, \t\"result\" : {\"a\":\"b\\nc\"} }");
    assert_int_equal(read_text("{\"id\":1,\"result\":\"a\nb\"}", &rpc), ERROR_SYNTAX);
}

static const char *version_of(const char *answer)
{
    static struct rpc rpc;

    assert_int_equal(read_text(answer, &rpc), OK);
    return rpc.negotiated;
}

TEST(test_version)
{
    struct buffer message;

    assert_string_equal(version_of("{\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\"}}"),
                        "2025-11-25");
    /* It becomes part of a request's head. */
    assert_string_equal(version_of("{\"result\":{\"protocolVersion\":\"1\\r\\nX: y\"}}"), "");
    assert_string_equal(version_of("{\"result\":{\"protocolVersion\":\"\"}}"), "");
    assert_string_equal(version_of("{\"result\":{\"protocolVersion\":1}}"), "");
    assert_string_equal(version_of("{\"result\":7}"), "");
    assert_string_equal(version_of("{\"result\":{\"protocolVersion\":"
                                   "\"2025-11-25-2025-11-25-2025-11-25-2025-11-25\"}}"),
                        "");
    /* However much stands beside it. */
    buffer_init(&message, sizeof(text));
    buffer_append_text(&message, "{\"id\":1,\"result\":{");
    for (int i = 0; i < 2 * JSON_RECORDED_MAX; i++)
        buffer_append_format(&message, "\"m%d\":0,", i);
    buffer_append_text(&message, "\"protocolVersion\":\"2025-11-25\"}}");
    assert_string_equal(version_of(message.data), "2025-11-25");
    buffer_clear(&message);
}

TEST(test_written)
{
    static const char message[] = "{\"id\": 17 ,\"method\":\"x\"}";
    char reason[RPC_REASON_SIZE];
    struct buffer out;
    struct rpc rpc;

    buffer_init(&out, 1024);
    rpc_write_error(&out, span_of("\"a\\u0000\""), RPC_LOST, "it \"went\"", NULL);
    assert_string_equal(out.data, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0000\",\"error\":{\"code\":"
                                  "-31404,\"message\":\"it \\\"went\\\"\"}}");
    buffer_reset(&out);
    rpc_write_error(&out, (struct span){NULL, 0}, RPC_REFUSED, "no", "session_revoked");
    assert_string_equal(out.data, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-31403,"
                                  "\"message\":\"no\",\"data\":{\"reason\":\"session_revoked\"}}}");
    buffer_reset(&out);
    assert_int_equal(read_text(message, &rpc), OK);
    rpc_write_with_id(&out, span_of(text), rpc.id, "99");
    assert_string_equal(out.data, "{\"id\": 99 ,\"method\":\"x\"}");
    buffer_clear(&out);

    assert_true(rpc_problem_reason(scan, span_of("{\"reason\":\"token_expired\"}"), reason));
    assert_string_equal(reason, "token_expired");
    assert_false(rpc_problem_reason(scan, span_of("{\"reason\":7}"), reason));
    assert_false(rpc_problem_reason(scan, span_of("<html>"), reason));
    assert_false(rpc_problem_reason(scan, (struct span){NULL, 0}, reason));
}
