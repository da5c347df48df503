/* What a client asks over MCP: vetted before the service hears of it. */
#pragma once

#include "worker/http/gate.h"

struct gate_verdict mcp_request_begins(struct exchange *exchange);
struct gate_verdict mcp_request_whole(struct exchange *exchange, struct span body);
