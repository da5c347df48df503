#include "connect/message/mcp_headers.h"

#include "connect/message/mcp_value.h"

#include <string.h>

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

    mcp_value_line("", "MCP-Protocol-Version", span_of(rpc->version), out);
    mcp_value_line("", "Mcp-Method", span_of(rpc->method), out);
    if (member == NULL || member->type != JSON_TYPE_STRING ||
        json_scan_unescape(member->value, name, sizeof(name), &length) != OK)
        return;
    mcp_value_line("", "Mcp-Name", (struct span){name, length}, out);
    member = rpc_param(scan, "arguments");
    if (strcmp(rpc->method, "tools/call") == 0 && member != NULL)
        mcp_tools_write(tools, name, member->value, out);
}
