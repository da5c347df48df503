/* What a tool's input schema says about headers; part of mcp_headers.h. */
#ifndef SIDELOCK_CONNECT_MCP_TOOLS_H
#define SIDELOCK_CONNECT_MCP_TOOLS_H

#include "connect/message/mcp_headers.h"

/* Appends Mcp-Param-* lines for these arguments (JSON) of a call; none that is null or absent. */
void mcp_tools_write(const struct mcp_tools *tools, const char *tool, struct span arguments,
                     struct buffer *out);

#endif
