#include "worker/mcp/mcp_gate.h"

#include "worker/mcp/mcp.h"
#include "worker/mcp/mcp_answer.h"
#include "worker/mcp/mcp_events.h"
#include "worker/mcp/mcp_request.h"

struct content_gate mcp_gate(struct mcp_sessions *sessions)
{
    return (struct content_gate){.reads_answer = true,
                                 .request_begins = mcp_request_begins,
                                 .request_whole = mcp_request_whole,
                                 .answer_begins = mcp_answer_begins,
                                 .answer_whole = mcp_answer_whole,
                                 .answer_piece = mcp_events_receive,
                                 .end = mcp_end,
                                 .context = sessions};
}
