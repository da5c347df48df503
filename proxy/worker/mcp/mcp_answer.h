/* What a service answers over MCP: one message is vetted whole. */
#ifndef SIDELOCK_WORKER_MCP_MCP_ANSWER_H
#define SIDELOCK_WORKER_MCP_MCP_ANSWER_H

#include "worker/http/gate.h"

struct gate_verdict mcp_answer_begins(struct exchange *exchange,
                                      const struct http_response *response);
struct gate_verdict mcp_answer_whole(struct exchange *exchange,
                                     const struct http_response *response, struct span body);

#endif
