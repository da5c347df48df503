#include "connect/message/mcp_tools.h"

#include "wire/http_request.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MARK             "x-mcp-header"
#define TOOL_BYTES_MAX   1024
#define NUMBER_BYTES_MAX 32

/* One argument that has a header. */
struct param {
    char name[MCP_HEADERS_NAME_BYTES_MAX + 1]; /* after Mcp-Param- */
    struct text_list path;                     /* of members, from `arguments` */
};

struct tool {
    char *name;
    struct param *params; /* owned; NULL: none */
    size_t count;
};

struct mcp_tools {
    struct tool *tools;
    size_t count;
};

enum error mcp_tools_create(struct mcp_tools **out)
{
    struct mcp_tools *tools = calloc(1, sizeof(*tools));

    if (tools == NULL)
        return ERROR_MEMORY;
    tools->tools = calloc(MCP_HEADERS_TOOLS_MAX, sizeof(*tools->tools));
    if (tools->tools == NULL) {
        free(tools);
        return ERROR_MEMORY;
    }
    *out = tools;
    return OK;
}

static void clear_params(struct tool *tool)
{
    for (size_t i = 0; i < tool->count; i++)
        text_list_clear(&tool->params[i].path);
    free(tool->params);
    tool->params = NULL;
    tool->count = 0;
}

void mcp_tools_destroy(struct mcp_tools *tools)
{
    if (tools == NULL)
        return;
    for (size_t i = 0; i < tools->count; i++) {
        clear_params(&tools->tools[i]);
        free(tools->tools[i].name);
    }
    free(tools->tools);
    free(tools);
}

static struct tool *find(const struct mcp_tools *tools, const char *name)
{
    for (size_t i = 0; i < tools->count; i++) {
        if (strcmp(tools->tools[i].name, name) == 0)
            return &tools->tools[i];
    }
    return NULL;
}

/* A walk over a schema's properties; `at` is the path so far. */
struct walk {
    struct tool *tool;
    const char *at[MCP_HEADERS_DEPTH_MAX];
    size_t depth;
};

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

static bool is_new_name(const struct tool *tool, const char *name)
{
    size_t length = strlen(name);

    if (length > MCP_HEADERS_NAME_BYTES_MAX || !http_is_token(span_of(name)))
        return false;
    for (size_t i = 0; i < tool->count; i++) {
        if (span_equals_nocase(span_of(name), tool->params[i].name))
            return false;
    }
    return true;
}

/* Notes the marked argument at the walk's place; false if the mark is not a valid one. */
static bool note(struct walk *walk, const json_t *schema)
{
    const char *name = json_string_value(json_object_get(schema, MARK));
    struct tool *tool = walk->tool;
    struct param *param, *grown;

    if (name == NULL || tool->count == MCP_HEADERS_PARAMS_MAX || !is_primitive(schema) ||
        !is_new_name(tool, name))
        return false;
    grown = realloc(tool->params, (tool->count + 1) * sizeof(*grown));
    if (grown == NULL)
        return false;
    tool->params = grown;
    param = &grown[tool->count++];
    *param = (struct param){.path = {NULL, 0}};
    memcpy(param->name, name, strlen(name) + 1);
    for (size_t i = 0; i < walk->depth; i++) {
        if (text_list_add(&param->path, walk->at[i], strlen(walk->at[i])) != OK)
            return false;
    }
    return true;
}

/* The depth is bounded by MCP_HEADERS_DEPTH_MAX. */
// NOLINTNEXTLINE(misc-no-recursion)
static bool visit(struct walk *walk, const json_t *schema)
{
    json_t *properties = json_object_get(schema, "properties");
    const char *key;
    json_t *property;

    json_object_foreach(properties, key, property)
    {
        bool good = true;

        if (walk->depth == MCP_HEADERS_DEPTH_MAX)
            return true; /* deeper marks are not learned */
        walk->at[walk->depth++] = key;
        if (json_object_get(property, MARK) != NULL)
            good = note(walk, property);
        good = good && visit(walk, property);
        walk->depth--;
        if (!good)
            return false;
    }
    return true;
}

/* A tool with one faulty mark counts as having none, as for other clients. */
static void learn_tool(struct mcp_tools *tools, const json_t *described)
{
    const char *name = json_string_value(json_object_get(described, "name"));
    struct tool found = {NULL, NULL, 0};
    struct tool *known;

    if (name == NULL || strlen(name) > TOOL_BYTES_MAX)
        return;
    known = find(tools, name);
    if (!visit(&(struct walk){.tool = &found}, json_object_get(described, "inputSchema")))
        clear_params(&found);
    if (known == NULL && found.count > 0 && tools->count < MCP_HEADERS_TOOLS_MAX) {
        known = &tools->tools[tools->count];
        known->name = text_copy(span_of(name));
        if (known->name != NULL)
            tools->count++;
        else
            known = NULL;
    }
    if (known == NULL) {
        clear_params(&found);
        return;
    }
    clear_params(known);
    known->params = found.params;
    known->count = found.count;
}

void mcp_tools_learn(struct mcp_tools *tools, struct span answer)
{
    json_t *root = json_loadb(answer.data, answer.length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *list = json_object_get(json_object_get(root, "result"), "tools");
    json_t *described;
    size_t i;

    json_array_foreach(list, i, described)
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

void mcp_tools_write(const struct mcp_tools *tools, const char *tool, struct span arguments,
                     struct buffer *out)
{
    const struct tool *known = find(tools, tool);
    json_t *root;

    if (known == NULL || known->count == 0)
        return;
    root = json_loadb(arguments.data, arguments.length, JSON_REJECT_DUPLICATES, NULL);
    for (size_t i = 0; i < known->count; i++) {
        const struct param *param = &known->params[i];
        const json_t *value = root;
        char room[NUMBER_BYTES_MAX];
        struct span text;

        for (size_t j = 0; j < param->path.count; j++)
            value = json_object_get(value, param->path.items[j]);
        text = value_text(value, room);
        if (text.data == NULL || text.length > MCP_HEADERS_VALUE_BYTES_MAX)
            continue;
        buffer_append_format(out, "Mcp-Param-%s: ", param->name);
        mcp_headers_value(text, out);
        buffer_append_text(out, "\r\n");
    }
    json_decref(root);
}
