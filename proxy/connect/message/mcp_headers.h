/*
 * The headers by which MCP 2026-07-28 repeats over HTTP what the body says:
 * MCP-Protocol-Version, Mcp-Method, Mcp-Name, and Mcp-Param-* for the arguments
 * of a tool that its input schema marks with `x-mcp-header`, as the answers to
 * tools/list say that pass.
 */
#pragma once

#include "connect/message/rpc.h"

#define MCP_VALUE_BYTES_MAX      4096 /* a longer value gets no header */
#define MCP_TOOLS_MAX            1024 /* with such a mark; of further ones nothing is learned */
#define MCP_TOOLS_PARAMS_MAX     16   /* marks of one tool; with more it counts as having none */
#define MCP_TOOLS_DEPTH_MAX      8    /* of an argument within arguments */
#define MCP_TOOLS_NAME_BYTES_MAX 64   /* of a header after Mcp-Param- */

struct mcp_tool;

/* What has been learned; all zero: nothing. Embedded by its user, who calls mcp_tools_clear. */
struct mcp_tools {
    struct mcp_tool *items; /* owned; with valid marks */
    size_t count;
};

void mcp_tools_clear(struct mcp_tools *tools);
/* Learns from a whole answer to tools/list that rpc_read let pass; what is not as it should be is
 * passed over. No other parser reads it, so what is odd in it costs nothing. */
void mcp_tools_learn(struct mcp_tools *tools, struct span answer);

/*
 * Appends the header lines for a request or notification of the modern era that
 * rpc_read has just read; none for arguments that are null or absent.
 */
void mcp_headers_write(const struct json_scan *scan, const struct rpc *rpc,
                       const struct mcp_tools *tools, struct buffer *out);
/*
 * Appends a header's value: as it is if it is printable ASCII without space at
 * its ends and does not look encoded, else `=?base64?...?=`.
 */
void mcp_headers_write_value(struct span text, struct buffer *out);
