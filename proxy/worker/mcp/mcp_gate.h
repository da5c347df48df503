/* The content gate of routes of kind mcp-http; an answer that is one message is vetted here. */
#ifndef SIDELOCK_WORKER_MCP_MCP_GATE_H
#define SIDELOCK_WORKER_MCP_MCP_GATE_H

#include "worker/http/gate.h"
#include "worker/mcp/mcp_sessions.h"

/* `sessions` is borrowed. */
struct content_gate mcp_gate(struct mcp_sessions *sessions);

#endif
