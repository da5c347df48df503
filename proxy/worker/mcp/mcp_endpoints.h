/*
 * The endpoints of HTTP+SSE (MCP 2024-11-05, transports) that services have named: where a
 * client's POSTs go while its stream of events is open. The service tells one session from
 * another by the endpoint's path, its query or both; so it is the MCP session of whoever's stream
 * named it, and nobody else's POST goes there.
 *
 * Paths are compared decoded, without regard to case or a slash at the end, as services route
 * them; queries pair by pair, decoded. What nobody was named but looks like somebody's (the query
 * names a session; the place of others' endpoints with another query; one beside others' on
 * a route that takes many paths) is refused like what is somebody else's, and so is an
 * endpoint whose stream has ended, as long as it is remembered.
 */
#pragma once

#include "config/config.h"
#include "worker/mcp/mcp_sessions.h"

#define MCP_ENDPOINTS_ENDED_MAX 256 /* remembered */

struct mcp_endpoint;

/* All zero is a valid empty one. */
struct mcp_endpoints {
    struct mcp_endpoint *first; /* newest first */
    size_t ended;
};

/* Where a POST goes, or is to go. */
struct mcp_place {
    uint32_t surface;
    const struct route *route;
    const char *path;  /* decoded */
    const char *query; /* as it is written; NULL: none */
};

/*
 * Whether a POST to there is for an endpoint. *out is the MCP session that it was named for,
 * whoever's that is; NULL: nobody's who is still there.
 */
bool mcp_endpoints_find(const struct mcp_endpoints *endpoints, const struct mcp_place *place,
                        struct mcp_session **out);
/* The session that has it, or one with which it could be confused, already; NULL: none. */
struct mcp_session *mcp_endpoints_named(const struct mcp_endpoints *endpoints,
                                        const struct mcp_place *place);
/* The service named it for that session, which holds it until it ends. */
enum error mcp_endpoints_open(struct mcp_endpoints *endpoints, const struct mcp_place *place,
                              struct mcp_session *session) MUST_CHECK;
/* The session's stream has ended. */
void mcp_endpoints_end(struct mcp_endpoints *endpoints, const struct mcp_session *session);
/* All of a surface that is no more; whoever was named one has gone. */
void mcp_endpoints_vacate(struct mcp_endpoints *endpoints, uint32_t surface);
void mcp_endpoints_clear(struct mcp_endpoints *endpoints);
