/* One line of the headers by which MCP over HTTP repeats what a body says. */
#ifndef SIDELOCK_CONNECT_MESSAGE_MCP_VALUE_H
#define SIDELOCK_CONNECT_MESSAGE_MCP_VALUE_H

#include "base/buffer.h"
#include "base/text.h"

#define MCP_VALUE_BYTES_MAX 4096 /* a longer value gets no header */

/*
 * Appends a header's value: as it is if it is printable ASCII without space at
 * its ends and does not look encoded, else `=?base64?...?=`.
 */
void mcp_value_write(struct span text, struct buffer *out);
/* Appends `prefix` and `name`, the value and CRLF; nothing if the value is too long. */
void mcp_value_line(const char *prefix, const char *name, struct span value, struct buffer *out);

#endif
