#include "connect/message/mcp_headers.h"

#include "connect/message/mcp_tools.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "=?base64?"
#define SUFFIX "?="

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

void mcp_headers_value(struct span text, struct buffer *out)
{
    char encoded[4 * ((MCP_HEADERS_VALUE_BYTES_MAX + 2) / 3) + 1];

    if (is_plain(text)) {
        buffer_append(out, text.data, text.length);
        return;
    }
    text_base64((const unsigned char *)text.data, text.length, encoded);
    buffer_append_text(out, PREFIX);
    buffer_append_text(out, encoded);
    buffer_append_text(out, SUFFIX);
}

static void write_line(const char *name, struct span value, struct buffer *out)
{
    if (value.length > MCP_HEADERS_VALUE_BYTES_MAX)
        return;
    buffer_append_text(out, name);
    buffer_append_text(out, ": ");
    mcp_headers_value(value, out);
    buffer_append_text(out, "\r\n");
}

static const struct json_member *find_param(const struct json_scan *scan, const char *key)
{
    for (size_t i = 0; i < json_scan_count(scan); i++) {
        const struct json_member *member = json_scan_member(scan, i);

        if (member->depth == 1 && span_equals(member->key, "params"))
            return json_scan_find(scan, (int)i, key);
    }
    return NULL;
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
    const struct json_member *member = key != NULL ? find_param(scan, key) : NULL;
    char name[MCP_HEADERS_VALUE_BYTES_MAX + 1];
    size_t length;

    write_line("MCP-Protocol-Version", span_of(rpc->version), out);
    write_line("Mcp-Method", span_of(rpc->method), out);
    if (member == NULL || member->type != JSON_TYPE_STRING ||
        json_scan_unescape(member->value, name, sizeof(name), &length) != OK)
        return;
    write_line("Mcp-Name", (struct span){name, length}, out);
    member = find_param(scan, "arguments");
    if (strcmp(rpc->method, "tools/call") == 0 && member != NULL)
        mcp_tools_write(tools, name, member->value, out);
}
