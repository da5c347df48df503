/*
 * The headers by which MCP 2026-07-28 repeats over HTTP what the body says:
 * MCP-Protocol-Version, Mcp-Method, Mcp-Name, and Mcp-Param-* for the arguments
 * that a tool's input schema marks with `x-mcp-header`. The last are learned
 * from the answers to tools/list that pass.
 */
#ifndef SIDELOCK_CONNECT_MCP_HEADERS_H
#define SIDELOCK_CONNECT_MCP_HEADERS_H

#include "base/buffer.h"
#include "connect/message/rpc.h"

#define MCP_HEADERS_TOOLS_MAX       1024 /* with such a mark; of further ones nothing is learned */
#define MCP_HEADERS_PARAMS_MAX      16   /* marks of one tool; with more it counts as having none */
#define MCP_HEADERS_DEPTH_MAX       8    /* of an argument within arguments */
#define MCP_HEADERS_NAME_BYTES_MAX  64
#define MCP_HEADERS_VALUE_BYTES_MAX 4096 /* a longer value gets no header */

struct mcp_tools;

enum error mcp_tools_create(struct mcp_tools **out) MUST_CHECK;
void mcp_tools_destroy(struct mcp_tools *tools);
/* Learns from a whole answer to tools/list; what is not as it should be is passed over. */
void mcp_tools_learn(struct mcp_tools *tools, struct span answer);

/*
 * Appends a header's value: as it is if it is printable ASCII without space at
 * its ends and does not look encoded, else `=?base64?...?=`.
 */
void mcp_headers_value(struct span text, struct buffer *out);

/*
 * Appends the header lines for a request or notification of the modern era that
 * rpc_read has just read.
 */
void mcp_headers_write(const struct json_scan *scan, const struct rpc *rpc,
                       const struct mcp_tools *tools, struct buffer *out);

#endif
