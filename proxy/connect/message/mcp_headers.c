#include "connect/message/mcp_headers.h"

#include "wire/http_head.h"

#include <jansson.h>
#include <string.h>

#define PREFIX           "=?base64?"
#define SUFFIX           "?="
#define MARK             "x-mcp-header"
#define TOOL_BYTES_MAX   1024
#define NUMBER_BYTES_MAX 32

/* ---- Lines ---- */

static bool looks_encoded(struct span text)
{
    size_t prefix = strlen(PREFIX), suffix = strlen(SUFFIX);

    return text.length >= prefix + suffix && memcmp(text.data, PREFIX, prefix) == 0 &&
           memcmp(text.data + text.length - suffix, SUFFIX, suffix) == 0;
}

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e)
            return false;
    }
    return text.length > 0 && text.data[0] != ' ' && text.data[text.length - 1] != ' ' &&
           !looks_encoded(text);
}

void mcp_headers_write_value(struct span text, struct buffer *out)
{
    char encoded[4 * ((MCP_VALUE_BYTES_MAX + 2) / 3) + 1];

    if (is_plain(text)) {
        buffer_append(out, text.data, text.length);
        return;
    }
    text_base64((const unsigned char *)text.data, text.length, encoded);
    buffer_append_format(out, PREFIX "%s" SUFFIX, encoded);
}

static void write_line(const char *prefix, const char *name, struct span value, struct buffer *out)
{
    if (value.length > MCP_VALUE_BYTES_MAX)
        return;
    buffer_append_format(out, "%s%s: ", prefix, name);
    mcp_headers_write_value(value, out);
    buffer_append_text(out, "\r\n");
}

/* ---- The arguments of tools ---- */

/* The marks of a schema, and the argument that stands where each mark is. */
struct marks {
    struct {
        const char *name;    /* after Mcp-Param- */
        const json_t *value; /* NULL: absent */
    } found[MCP_TOOLS_PARAMS_MAX];
    size_t count, depth;
};

void mcp_tools_clear(struct mcp_tools *tools)
{
    json_decref(tools->properties);
    tools->properties = NULL;
}

static bool is_primitive(const json_t *schema)
{
    static const char *const types[] = {"string", "integer", "boolean", "number"};
    const char *type = json_string_value(json_object_get(schema, "type"));

    for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static bool is_new_name(const struct marks *marks, const char *name)
{
    if (strlen(name) > MCP_TOOLS_NAME_BYTES_MAX || !http_is_token(span_of(name)))
        return false;
    for (size_t i = 0; i < marks->count; i++) {
        if (span_equals_nocase(span_of(name), marks->found[i].name))
            return false;
    }
    return true;
}

/* Notes a marked argument; false if the mark is not a valid one. */
static bool note(struct marks *marks, const json_t *schema, const json_t *value)
{
    const char *name = json_string_value(json_object_get(schema, MARK));

    if (name == NULL || marks->count == MCP_TOOLS_PARAMS_MAX || !is_primitive(schema) ||
        !is_new_name(marks, name))
        return false;
    marks->found[marks->count].name = name;
    marks->found[marks->count++].value = value;
    return true;
}

/* Gathers marks, deeper ones than MCP_TOOLS_DEPTH_MAX excepted; false if one is not valid. */
// NOLINTNEXTLINE(misc-no-recursion)
static bool gather(struct marks *marks, const json_t *properties, const json_t *arguments)
{
    const char *key;
    json_t *schema;

    if (marks->depth == MCP_TOOLS_DEPTH_MAX)
        return true;
    marks->depth++;
    json_object_foreach((json_t *)properties, key, schema)
    {
        const json_t *value = json_object_get(arguments, key);

        if (json_object_get(schema, MARK) != NULL && !note(marks, schema, value))
            return false;
        if (!gather(marks, json_object_get(schema, "properties"), value))
            return false;
    }
    marks->depth--;
    return true;
}

/* A tool with one faulty mark counts as having none, as for other clients. */
static void learn_tool(struct mcp_tools *tools, const json_t *described)
{
    const char *name = json_string_value(json_object_get(described, "name"));
    json_t *properties = json_object_get(json_object_get(described, "inputSchema"), "properties");
    struct marks marks = {.count = 0};

    if (name == NULL || strlen(name) > TOOL_BYTES_MAX)
        return;
    json_object_del(tools->properties, name);
    if (gather(&marks, properties, NULL) && marks.count > 0 &&
        json_object_size(tools->properties) < MCP_TOOLS_MAX)
        json_object_set(tools->properties, name, properties);
}

void mcp_tools_learn(struct mcp_tools *tools, struct span answer)
{
    json_t *root = json_loadb(answer.data, answer.length, JSON_REJECT_DUPLICATES, NULL);
    json_t *described;
    size_t i;

    if (tools->properties == NULL)
        tools->properties = json_object();
    json_array_foreach(json_object_get(json_object_get(root, "result"), "tools"), i, described)
    {
        learn_tool(tools, described);
    }
    json_decref(root);
}

/* A primitive value as text; absent for everything else. */
static struct span value_text(const json_t *value, char room[NUMBER_BYTES_MAX])
{
    if (json_is_string(value))
        return (struct span){json_string_value(value), json_string_length(value)};
    if (json_is_boolean(value))
        return span_of(json_is_true(value) ? "true" : "false");
    if (json_is_number(value)) {
        size_t length = json_dumpb(value, room, NUMBER_BYTES_MAX, JSON_ENCODE_ANY);

        if (length <= NUMBER_BYTES_MAX)
            return (struct span){room, length};
    }
    return (struct span){NULL, 0};
}

/* The lines for these arguments (JSON) of a call. */
static void write_arguments(const struct mcp_tools *tools, const char *tool, struct span arguments,
                            struct buffer *out)
{
    const json_t *properties = json_object_get(tools->properties, tool);
    struct marks marks = {.count = 0};
    json_t *root;

    if (properties == NULL)
        return;
    root = json_loadb(arguments.data, arguments.length, JSON_REJECT_DUPLICATES, NULL);
    gather(&marks, properties, root);
    for (size_t i = 0; i < marks.count; i++) {
        char room[NUMBER_BYTES_MAX];
        struct span text = value_text(marks.found[i].value, room);

        if (text.data != NULL)
            write_line("Mcp-Param-", marks.found[i].name, text, out);
    }
    json_decref(root);
}

/* Which member of params Mcp-Name repeats; NULL: none. */
static const char *name_member(const char *method)
{
    if (strcmp(method, "tools/call") == 0 || strcmp(method, "prompts/get") == 0)
        return "name";
    if (strcmp(method, "resources/read") == 0)
        return "uri";
    return strncmp(method, "tasks/", strlen("tasks/")) == 0 ? "taskId" : NULL;
}

void mcp_headers_write(const struct json_scan *scan, const struct rpc *rpc,
                       const struct mcp_tools *tools, struct buffer *out)
{
    const char *key = name_member(rpc->method);
    const struct json_member *member = key != NULL ? rpc_param(scan, key) : NULL;
    char name[MCP_VALUE_BYTES_MAX + 1];
    size_t length;

    write_line("", "MCP-Protocol-Version", span_of(rpc->version), out);
    write_line("", "Mcp-Method", span_of(rpc->method), out);
    if (member == NULL || member->type != JSON_TYPE_STRING ||
        json_scan_unescape(member->value, name, sizeof(name), &length) != OK)
        return;
    write_line("", "Mcp-Name", (struct span){name, length}, out);
    member = rpc_param(scan, "arguments");
    if (strcmp(rpc->method, "tools/call") == 0 && member != NULL)
        write_arguments(tools, name, member->value, out);
}
