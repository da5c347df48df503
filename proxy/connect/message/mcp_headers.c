#include "connect/message/mcp_headers.h"

#include "wire/http_head.h"
#include "json/chars.h"
#include "json/walk.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX         "=?base64?"
#define SUFFIX         "?="
#define MARK           "x-mcp-header"
#define TOOL_BYTES_MAX 1024
#define KEY_BYTES_MAX  256 /* of an argument that has a mark */

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

/* A tool whose schema has valid marks. */
struct mcp_tool {
    char *name;
    char *properties; /* of its input schema, as they came */
};

/* The marks of a schema, and the argument that stands where each mark is. */
struct marks {
    struct {
        char name[MCP_TOOLS_NAME_BYTES_MAX + 1]; /* after Mcp-Param- */
        struct span value;                       /* as it is written; absent: none */
    } found[MCP_TOOLS_PARAMS_MAX];
    size_t count, depth;
};

static void forget(struct mcp_tools *tools, size_t place)
{
    free(tools->items[place].name);
    free(tools->items[place].properties);
    tools->items[place] = tools->items[--tools->count];
}

void mcp_tools_clear(struct mcp_tools *tools)
{
    while (tools->count > 0)
        forget(tools, tools->count - 1);
    free(tools->items);
    *tools = (struct mcp_tools){NULL, 0};
}

/* The place of a tool; their count if there is none. */
static size_t place_of(const struct mcp_tools *tools, const char *name)
{
    size_t place = 0;

    while (place < tools->count && strcmp(tools->items[place].name, name) != 0)
        place++;
    return place;
}

/* The value of an object's member; absent if it has none, and of what is no object. */
static struct span find(struct span object, const char *key)
{
    struct json_walk_entry entry;
    struct json_walk walk;

    if (object.data != NULL && json_walk_enter(&walk, object) && walk.object) {
        while (json_walk_next(&walk, &entry)) {
            if (json_chars_equal(entry.key, key))
                return entry.value;
        }
    }
    return (struct span){NULL, 0};
}

/* What a string says; false for all else, and what is no text or too long. */
static bool text_of(struct span value, char *out, size_t size)
{
    size_t length;

    return value.data != NULL && json_scan_unescape(value, out, size, &length) == OK;
}

static bool is_primitive(struct span schema)
{
    static const char *const types[] = {"string", "integer", "boolean", "number"};
    char type[16];

    if (!text_of(find(schema, "type"), type, sizeof(type)))
        return false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static bool is_new_name(const struct marks *marks, const char *name)
{
    if (!http_is_token(span_of(name)))
        return false;
    for (size_t i = 0; i < marks->count; i++) {
        if (span_equals_nocase(span_of(name), marks->found[i].name))
            return false;
    }
    return true;
}

/* Notes a marked argument; false if the mark is not a valid one. */
static bool note(struct marks *marks, struct span schema, struct span mark, struct span value)
{
    char name[MCP_TOOLS_NAME_BYTES_MAX + 1];

    if (marks->count == MCP_TOOLS_PARAMS_MAX || !text_of(mark, name, sizeof(name)) ||
        !is_primitive(schema) || !is_new_name(marks, name))
        return false;
    memcpy(marks->found[marks->count].name, name, sizeof(name));
    marks->found[marks->count++].value = value;
    return true;
}

/* Gathers marks, deeper ones than MCP_TOOLS_DEPTH_MAX excepted; false if one is not valid. */
// NOLINTNEXTLINE(misc-no-recursion)
static bool gather(struct marks *marks, struct span properties, struct span arguments)
{
    struct json_walk_entry entry;
    struct json_walk walk;

    if (marks->depth == MCP_TOOLS_DEPTH_MAX || properties.data == NULL ||
        !json_walk_enter(&walk, properties) || !walk.object)
        return true;
    marks->depth++;
    while (json_walk_next(&walk, &entry)) {
        const struct span quoted = {entry.key.data - 1, entry.key.length + 2};
        const struct span mark = find(entry.value, MARK);
        struct span value = {NULL, 0};
        char key[KEY_BYTES_MAX];

        if (arguments.data != NULL && text_of(quoted, key, sizeof(key)))
            value = find(arguments, key);
        if (mark.data != NULL && !note(marks, entry.value, mark, value))
            return false;
        if (!gather(marks, find(entry.value, "properties"), value))
            return false;
    }
    marks->depth--;
    return true;
}

static void remember(struct mcp_tools *tools, const char *name, struct span properties)
{
    struct mcp_tool tool = {strdup(name), text_copy(properties)};
    struct mcp_tool *items = realloc(tools->items, (tools->count + 1) * sizeof(*items));

    if (items != NULL)
        tools->items = items;
    if (items != NULL && tool.name != NULL && tool.properties != NULL) {
        items[tools->count++] = tool;
    } else { /* without memory it has no headers */
        free(tool.name);
        free(tool.properties);
    }
}

/* A tool with one faulty mark counts as having none, as for other clients. */
static void learn_tool(struct mcp_tools *tools, struct span described)
{
    const struct span properties = find(find(described, "inputSchema"), "properties");
    struct marks marks = {.count = 0};
    char name[TOOL_BYTES_MAX + 1];
    size_t place;

    if (!text_of(find(described, "name"), name, sizeof(name)))
        return;
    place = place_of(tools, name);
    if (place < tools->count)
        forget(tools, place);
    if (gather(&marks, properties, (struct span){NULL, 0}) && marks.count > 0 &&
        tools->count < MCP_TOOLS_MAX)
        remember(tools, name, properties);
}

void mcp_tools_learn(struct mcp_tools *tools, struct span answer)
{
    const struct span described = find(find(answer, "result"), "tools");
    struct json_walk_entry entry;
    struct json_walk walk;

    if (described.data == NULL || !json_walk_enter(&walk, described) || walk.object)
        return;
    while (json_walk_next(&walk, &entry))
        learn_tool(tools, entry.value);
}

/* A primitive value as text, a number as it is written; absent for everything else. */
static struct span value_text(struct span value, char room[MCP_VALUE_BYTES_MAX + 1])
{
    if (value.data == NULL || strchr("{[n", value.data[0]) != NULL)
        return (struct span){NULL, 0};
    if (value.data[0] != '"')
        return value;
    return text_of(value, room, MCP_VALUE_BYTES_MAX + 1) ? span_of(room) : (struct span){NULL, 0};
}

/* The lines for these arguments (JSON) of a call. */
static void write_arguments(const struct mcp_tools *tools, const char *tool, struct span arguments,
                            struct buffer *out)
{
    const size_t place = place_of(tools, tool);
    struct marks marks = {.count = 0};

    if (place == tools->count)
        return;
    gather(&marks, span_of(tools->items[place].properties), arguments);
    for (size_t i = 0; i < marks.count; i++) {
        char room[MCP_VALUE_BYTES_MAX + 1];
        struct span text = value_text(marks.found[i].value, room);

        if (text.data != NULL)
            write_line("Mcp-Param-", marks.found[i].name, text, out);
    }
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
