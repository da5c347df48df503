/*
 * Which arguments of a tool have a header of their own, Mcp-Param-*: those that its
 * input schema marks with `x-mcp-header`, as the answers to tools/list say that pass.
 */
#ifndef SIDELOCK_CONNECT_MESSAGE_MCP_TOOLS_H
#define SIDELOCK_CONNECT_MESSAGE_MCP_TOOLS_H

#include "base/buffer.h"
#include "base/text.h"

#define MCP_TOOLS_MAX            1024 /* with such a mark; of further ones nothing is learned */
#define MCP_TOOLS_PARAMS_MAX     16   /* marks of one tool; with more it counts as having none */
#define MCP_TOOLS_DEPTH_MAX      8    /* of an argument within arguments */
#define MCP_TOOLS_NAME_BYTES_MAX 64   /* of a header after Mcp-Param- */

struct json_t; /* jansson's */

/* What has been learned; all zero: nothing. Embedded by its user, who calls mcp_tools_clear. */
struct mcp_tools {
    struct json_t *properties; /* of the input schemas that have valid marks, by the tool's name */
};

void mcp_tools_clear(struct mcp_tools *tools);
/* Learns from a whole answer to tools/list; what is not as it should be is passed over. */
void mcp_tools_learn(struct mcp_tools *tools, struct span answer);
/* Appends the lines for these arguments (JSON) of a call; none for what is null or absent. */
void mcp_tools_write(const struct mcp_tools *tools, const char *tool, struct span arguments,
                     struct buffer *out);

#endif
