/* The content gate of routes of kind mcp-http; an answer that is one message is vetted here. */
#pragma once

#include "worker/http/gate.h"
#include "worker/mcp/mcp_sessions.h"

/* `sessions` is borrowed. */
struct content_gate mcp_gate(struct mcp_sessions *sessions);
