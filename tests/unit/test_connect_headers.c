/* connect/message/mcp_headers.c. */
#include <stddef.h>
#include <stdint.h>

#include "connect/message/mcp_headers.h"
#include "unit.h"
#include "vector_lines.h"

#include <string.h>

static struct json_scan *scan;
static struct mcp_tools tools;

static int set_up(void **state)
{
    (void)state;
    return json_scan_create(&scan) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_scan_destroy(scan);
    mcp_tools_clear(&tools);
    return 0;
}

static void learn(const char *list)
{
    struct buffer answer;

    buffer_init(&answer, 65536);
    buffer_append_format(&answer, "{\"id\":1,\"result\":{\"tools\":%s}}", list);
    mcp_tools_learn(&tools, (struct span){answer.data, answer.length});
    buffer_clear(&answer);
}

/* The headers of a request with this method, and these members in params, less the version's. */
static void expect(const char *method, const char *members, const char *expected)
{
    static const char version[] = "MCP-Protocol-Version: 2026-07-28\r\n";
    struct buffer text, out;
    struct rpc rpc;

    buffer_init(&text, 65536);
    buffer_init(&out, 65536);
    buffer_append_format(&text,
                         "{\"id\":1,\"method\":\"%s\",\"params\":{%s\"_meta\":{\"io."
                         "modelcontextprotocol/protocolVersion\":\"2026-07-28\"}}}",
                         method, members);
    assert_int_equal(rpc_read(scan, text.data, text.length, &rpc), OK);
    mcp_headers_write(scan, &rpc, &tools, &out);
    assert_memory_equal(out.data, version, strlen(version));
    assert_string_equal(out.data + strlen(version), expected);
    buffer_clear(&text);
    buffer_clear(&out);
}

TEST_BETWEEN(test_standard, set_up, tear_down)
{
    expect("tools/list", "", "Mcp-Method: tools/list\r\n");
    expect("tools/call", "\"name\":\"echo\",", "Mcp-Method: tools/call\r\nMcp-Name: echo\r\n");
    expect("prompts/get", "\"name\":\"gr\\u00fc\\u00dfe\",",
           "Mcp-Method: prompts/get\r\nMcp-Name: =?base64?Z3LDvMOfZQ==?=\r\n");
    expect("resources/read", "\"uri\":\"file:///x\",",
           "Mcp-Method: resources/read\r\nMcp-Name: file:///x\r\n");
    expect("tasks/get", "\"taskId\":\"t\",\"name\":\"n\",",
           "Mcp-Method: tasks/get\r\nMcp-Name: t\r\n");
    expect("tools/call", "\"name\":7,", "Mcp-Method: tools/call\r\n");
    expect("x\\r\\ny: z", "", "Mcp-Method: =?base64?eA0KeTogeg==?=\r\n");
}

#define MARKED(name, type) "{\"type\":\"" type "\",\"x-mcp-header\":\"" name "\"}"

TEST_BETWEEN(test_arguments, set_up, tear_down)
{
    learn("[{\"name\":\"t\",\"inputSchema\":{\"properties\":{\"region\":" MARKED(
        "Region",
        "string") ",\"n\":" MARKED("N",
                                   "integer") ",\"b\":" MARKED("B",
                                                               "boolean") ",\"d"
                                                                          "eep\":{\"type\":"
                                                                          "\"object\","
                                                                          "\"properties\":{"
                                                                          "\"x\":" MARKED(
                                                                              "X",
                                                                              "string") "}},"
                                                                                        "\"plain\":"
                                                                                        "{\"type\":"
                                                                                        "\"string\""
                                                                                        "}}}}]");
    expect("tools/call",
           "\"name\":\"t\",\"arguments\":{\"region\":\"eu\\r\\nX: y\",\"n\":-42,\"b\":false,"
           "\"deep\":{\"x\":\"in\"},\"plain\":\"p\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: t\r\n"
           "Mcp-Param-Region: =?base64?ZXUNClg6IHk=?=\r\nMcp-Param-N: -42\r\n"
           "Mcp-Param-B: false\r\nMcp-Param-X: in\r\n");
    /* Absent, null, and what is no primitive get none. */
    expect("tools/call", "\"name\":\"t\",\"arguments\":{\"region\":null,\"n\":[1],\"deep\":\"x\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: t\r\n");
    expect("tools/call", "\"name\":\"other\",\"arguments\":{\"region\":\"eu\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: other\r\n");
    expect("prompts/get", "\"name\":\"t\",\"arguments\":{\"region\":\"eu\"},",
           "Mcp-Method: prompts/get\r\nMcp-Name: t\r\n");
    /* What is learned anew counts, also that there is nothing any more. */
    learn("[{\"name\":\"t\",\"inputSchema\":{\"properties\":{}}}]");
    expect("tools/call", "\"name\":\"t\",\"arguments\":{\"region\":\"eu\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: t\r\n");
}

/* What is odd in a list of tools, or in a call, keeps nothing from being learned or said. */
TEST_BETWEEN(test_odd, set_up, tear_down)
{
    learn("[{\"name\":\"o\",\"description\":\"\\ud83d\\u0000\",\"inputSchema\":{\"properties\":{"
          "\"n\":" MARKED("N", "integer") ",\"s\":" MARKED("S", "string") "},\"maximum\":1e309}}]");
    expect("tools/call",
           "\"name\":\"o\",\"arguments\":{\"n\":9223372036854775808,\"s\":\"\\ud83d\",\"x\":"
           "\"\\u0000\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: o\r\nMcp-Param-N: 9223372036854775808\r\n");
}

/* A tool with a mark that is not a valid one counts as having none at all. */
TEST_BETWEEN(test_faulty_marks, set_up, tear_down)
{
    static const char *const faulty[] = {
        MARKED("bad name", "string"),
        MARKED("", "string"),
        MARKED("A\\r\\nB", "string"),
        MARKED("A", "object"),
        MARKED("good", "string"), /* but for case, the other's */
        "{\"type\":\"string\",\"x-mcp-header\":7}",
        MARKED("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "string"),
    };

    for (size_t i = 0; i < sizeof(faulty) / sizeof(faulty[0]); i++) {
        struct buffer list;

        buffer_init(&list, 4096);
        buffer_append_format(&list,
                             "[{\"name\":\"f\",\"inputSchema\":{\"properties\":{\"g\":%s,\"x\":%s}"
                             "}}]",
                             MARKED("Good", "string"), faulty[i]);
        learn(list.data);
        buffer_clear(&list);
        expect("tools/call", "\"name\":\"f\",\"arguments\":{\"g\":\"1\",\"x\":\"2\"},",
               "Mcp-Method: tools/call\r\nMcp-Name: f\r\n");
    }
    learn("[7,{\"name\":7},{\"name\":\"n\",\"inputSchema\":[]}]");
    learn("7");
}

TEST_BETWEEN(test_bounds, set_up, tear_down)
{
    struct buffer list;

    buffer_init(&list, 1U << 20);
    for (int i = 0; i < MCP_TOOLS_MAX + 10; i++) {
        buffer_reset(&list);
        buffer_append_format(&list,
                             "[{\"name\":\"tool%d\",\"inputSchema\":{\"properties\":{\"a\":" MARKED(
                                 "A", "string") "}}}]",
                             i);
        learn(list.data);
    }
    expect("tools/call", "\"name\":\"tool0\",\"arguments\":{\"a\":\"1\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: tool0\r\nMcp-Param-A: 1\r\n");
    expect("tools/call", "\"name\":\"tool1033\",\"arguments\":{\"a\":\"1\"},",
           "Mcp-Method: tools/call\r\nMcp-Name: tool1033\r\n");
    buffer_clear(&list);
}

TEST(test_values)
{
    struct vector_line vector;
    size_t count = 0;

    for (vector_open(&vector, VECTORS_DIR "/connect/values.txt"); vector_next(&vector, 2);
         count++) {
        struct buffer out;

        buffer_init(&out, 4096);
        mcp_headers_write_value((struct span){vector.text, vector.length}, &out);
        assert_string_equal(out.data, vector.fields[0]);
        buffer_clear(&out);
    }
    vector_close(&vector);
    assert_true(count >= 16);
}
