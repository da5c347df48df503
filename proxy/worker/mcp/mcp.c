#include "worker/mcp/mcp.h"

#include "worker/client/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mcp *mcp_create(struct exchange *exchange, const struct request *asked)
{
    const char *query = asked->query != NULL ? asked->query : "";
    size_t room = strlen(asked->path) + strlen(query) + 2;
    struct mcp *mcp = calloc(1, sizeof(*mcp));

    exchange->content = mcp;
    if (mcp == NULL || (mcp->target = malloc(room)) == NULL)
        return NULL;
    snprintf(mcp->target, room, "%s%s%s", asked->path, asked->query != NULL ? "?" : "", query);
    mcp->post = strcmp(asked->method, "POST") == 0;
    mcp->deletes = strcmp(asked->method, "DELETE") == 0;
    return mcp;
}

void mcp_end(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);

    if (mcp == NULL)
        return;
    exchange->content = NULL;
    if (mcp->session != NULL && mcp->awaited != NULL && !mcp->resumable)
        vet_state_forget(mcp->session->vet, DIRECTION_C2S, mcp->awaited);
    /* Unless another stream of its session's has taken it over. */
    if (mcp->session != NULL && mcp->session->stream == exchange) {
        mcp->session->stream = NULL;
        mcp_endpoints_end(&mcp_shared_of(exchange)->endpoints, mcp->session);
        mcp_sessions_end(mcp_sessions_of(exchange), mcp->session);
    }
    mcp_sessions_release(mcp->session);
    vet_state_destroy(mcp->own);
    free(mcp->target);
    free(mcp->awaited);
    for (size_t i = 0; i < sizeof(mcp->headers) / sizeof(mcp->headers[0]); i++)
        free(mcp->headers[i]);
    if (mcp->events != NULL)
        sse_clear(mcp->events);
    free(mcp->events);
    free(mcp);
}

/* What waits for an answer: of the MCP session, else of this exchange; NULL without memory. */
static struct vet_state *vet_state_of(struct exchange *exchange)
{
    const struct connection *connection = exchange->connection;
    struct mcp *mcp = mcp_of(exchange);

    if (mcp->session != NULL)
        return mcp->session->vet;
    if (mcp->own == NULL &&
        vet_state_create(connection->worker->quotas,
                         quota_session(connection->surface_index, connection->session_id),
                         &mcp->own) != OK)
        return NULL;
    return mcp->own;
}

enum reason mcp_open_session(struct exchange *exchange, struct span id)
{
    struct mcp *mcp = mcp_of(exchange);
    struct mcp_session_key key = {exchange->connection->surface_index,
                                  exchange->connection->session_id, id};
    struct vet_state *state = vet_state_of(exchange);

    if (state == NULL)
        return REASON_CAPACITY;
    switch (mcp_sessions_open(mcp_sessions_of(exchange), &key, state, &mcp->session)) {
    case OK:
        mcp->own = NULL;
        return REASON_ALLOWED;
    case ERROR_DENIED:
        return REASON_QUOTA_MCP_SESSIONS;
    case ERROR_LIMIT:
    case ERROR_MEMORY:
        return REASON_CAPACITY;
    default:
        return REASON_ANSWER_SESSION;
    }
}

enum reason mcp_open_endpoint(struct exchange *exchange, struct span target,
                              const struct mcp_place *place)
{
    struct mcp_endpoints *endpoints = &mcp_shared_of(exchange)->endpoints;
    struct mcp *mcp = mcp_of(exchange);
    struct mcp_session *named = mcp_endpoints_named(endpoints, place);
    enum reason reason;

    if (named != NULL) {
        /* A client that reads anew, and a service that has but one: it goes on. Two clients that
         * are given one would be one to the service. */
        mcp->session =
            mcp_sessions_hold(mcp_sessions_of(exchange), named, exchange->connection->session_id);
        return mcp->session != NULL ? REASON_ALLOWED : REASON_ANSWER_SESSION;
    }
    reason = mcp_open_session(exchange, target);
    if (!reason_allows(reason))
        return reason;
    if (mcp_endpoints_open(endpoints, place, mcp->session) == OK)
        return REASON_ALLOWED;
    mcp_sessions_end(mcp_sessions_of(exchange), mcp->session);
    return REASON_CAPACITY;
}

bool mcp_vet(struct exchange *exchange, enum direction direction, bool replay, struct span text,
             struct vet_result *result)
{
    const struct mcp *mcp = mcp_of(exchange);
    struct mcp_http_headers headers = {mcp->headers[0], mcp->headers[1], mcp->headers[2]};
    struct vet_rules rules = grant_rules(exchange->connection);
    struct vet_state *state = vet_state_of(exchange);

    if (state == NULL)
        return false;
    rules.http = direction == DIRECTION_C2S ? &headers : NULL;
    rules.resumable = mcp->session != NULL;
    rules.replay = replay;
    vet_message(state, exchange->connection->worker->scratch, &rules, direction, text.data,
                text.length, true, result);
    grant_note(exchange->connection, direction, result);
    return true;
}
