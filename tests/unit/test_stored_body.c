/* rewrite.c: what of a client's body counts as the stored value, and what does not. */
#include "vet/rewrite.h"

#include "policy/params.h"
#include "scan_fixture.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char record[] = "{\"type\":\"StdioServerParams\",\"command\":\"/usr/bin/uvx\","
                             "\"args\":[\"mcp-x\"],\"timeout\":5}";

static char member[] = "server_params", from[] = "";
static const struct route_body route = {member, from};
static char stored[SHA256_HEX_SIZE];

static int set_up(void **state)
{
    struct params *params;

    if (params_parse(record, strlen(record), &params) != OK)
        return -1;
    if (params_part_digest(params, route.from, stored) != OK)
        return -1;
    params_destroy(params);
    return scan_set_up(state);
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = scan_tear_down;

static enum reason digest_of(const char *text, char out[SHA256_HEX_SIZE])
{
    return stored_body_digest(scan, &route, span_of(text), out);
}

TEST(test_equal)
{
    static const char *const equal[] = {
        "{\"server_params\":{\"type\":\"StdioServerParams\",\"command\":\"/usr/bin/uvx\","
        "\"args\":[\"mcp-x\"],\"timeout\":5}}",
        "{ \"server_params\" : {\"timeout\":5, \"args\":[ \"mcp\\u002dx\" ],"
        "\"command\":\"\\/usr/bin/uvx\",\"type\":\"StdioServerParams\"} }",
        "{\"other\":[1],\"server_params\":{\"type\":\"StdioServerParams\",\"command\":"
        "\"/usr/bin/uvx\",\"args\":[\"mcp-x\"],\"timeout\":5},\"more\":{\"server_params\":1}}",
    };
    char digest[SHA256_HEX_SIZE];

    for (size_t i = 0; i < sizeof(equal) / sizeof(*equal); i++) {
        assert_int_equal(digest_of(equal[i], digest), REASON_ALLOWED);
        assert_string_equal(digest, stored);
    }
}

TEST(test_different)
{
    static const char *const different[] = {
        "{\"server_params\":{}}",
        "{\"server_params\":null}",
        "{\"server_params\":\"x\"}",
        "{\"server_params\":[1]}",
        "{\"server_params\":{\"type\":\"StdioServerParams\",\"command\":\"/usr/bin/uvx\","
        "\"args\":[\"mcp-x\"],\"timeout\":5.0}}",
        "{\"server_params\":{\"type\":\"StdioServerParams\",\"command\":\"/usr/bin/uvx\","
        "\"args\":[\"mcp-x\"],\"timeout\":5,\"env\":{}}}",
        "{\"server_params\":{\"type\":\"StdioServerParams\",\"command\":\"/bin/sh\","
        "\"args\":[\"mcp-x\"],\"timeout\":5}}",
    };
    char digest[SHA256_HEX_SIZE];

    for (size_t i = 0; i < sizeof(different) / sizeof(*different); i++) {
        assert_int_equal(digest_of(different[i], digest), REASON_ALLOWED);
        assert_string_not_equal(digest, stored);
    }
}

TEST(test_refused)
{
    static const struct {
        const char *text;
        enum reason reason;
    } cases[] = {
        {"{}", REASON_VALUE_MISMATCH},
        {"[]", REASON_VALUE_MISMATCH},
        {"{\"other\":1}", REASON_VALUE_MISMATCH},
        {"{\"a\":{\"server_params\":{}}}", REASON_VALUE_MISMATCH},
        {"{\"server_params\":{},\"Server_Params\":{}}", REASON_VALUE_MISMATCH},
        {"{\"\\u0073erver_params\":{}}", REASON_VALUE_MISMATCH},
        {"{\"\xc5\xbf"
         "erver_params\":{},\"server_params\":{}}",
         REASON_VALUE_MISMATCH},
        {"{\"server_params\":{},\"server_params\":{}}", REASON_JSON_DUPLICATE_KEY},
        {"{\"server_params\":{\"a\":1,\"a\":2}}", REASON_JSON_DUPLICATE_KEY},
        {"", REASON_JSON_SYNTAX},
        {"server_params=%7B%7D", REASON_JSON_SYNTAX},
    };
    char digest[SHA256_HEX_SIZE];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(digest_of(cases[i].text, digest), cases[i].reason);
}

/* A value larger than any record is not worth a digest. */
TEST(test_larger_than_any_record)
{
    char *text = malloc(PARAMS_BYTES_MAX + 64), digest[SHA256_HEX_SIZE];
    size_t length = 0;

    assert_non_null(text);
    length += (size_t)sprintf(text, "{\"server_params\":\"");
    memset(text + length, 'x', PARAMS_BYTES_MAX);
    length += PARAMS_BYTES_MAX;
    memcpy(text + length, "\"}", 3);
    assert_int_equal(digest_of(text, digest), REASON_VALUE_MISMATCH);
    free(text);
}
