/*
 * The headers by which MCP 2026-07-28 repeats over HTTP what the body says:
 * MCP-Protocol-Version, Mcp-Method, Mcp-Name, and Mcp-Param-* for the arguments
 * that a tool's input schema marks (mcp_tools.h).
 */
#ifndef SIDELOCK_CONNECT_MESSAGE_MCP_HEADERS_H
#define SIDELOCK_CONNECT_MESSAGE_MCP_HEADERS_H

#include "connect/message/mcp_tools.h"
#include "connect/message/rpc.h"

/*
 * Appends the header lines for a request or notification of the modern era that
 * rpc_read has just read.
 */
void mcp_headers_write(const struct json_scan *scan, const struct rpc *rpc,
                       const struct mcp_tools *tools, struct buffer *out);

#endif
