/* What a client asks over MCP: vetted before the service hears of it. */
#ifndef SIDELOCK_WORKER_MCP_MCP_REQUEST_H
#define SIDELOCK_WORKER_MCP_MCP_REQUEST_H

#include "worker/http/gate.h"

struct gate_verdict mcp_request_begins(struct exchange *exchange);
struct gate_verdict mcp_request_whole(struct exchange *exchange, struct span body);

#endif
