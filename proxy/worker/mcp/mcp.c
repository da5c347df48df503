#include "worker/mcp/mcp.h"

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
        vet_forget(mcp->session->vet, DIRECTION_C2S, mcp->awaited);
    if (mcp->endpoint && mcp->session != NULL) {
        mcp->session->stream = NULL;
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

struct vet_state *mcp_vet_state(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);

    if (mcp->session != NULL)
        return mcp->session->vet;
    if (mcp->own == NULL && vet_state_create(&mcp->own) != OK)
        return NULL;
    return mcp->own;
}

enum reason mcp_open_session(struct exchange *exchange, struct span id)
{
    struct mcp *mcp = mcp_of(exchange);
    struct mcp_session_key key = {exchange->connection->surface_index,
                                  exchange->connection->session_id, id};
    struct vet_state *state = mcp_vet_state(exchange);

    if (state == NULL)
        return REASON_CAPACITY;
    switch (mcp_sessions_open(mcp_sessions_of(exchange), &key, state, &mcp->session)) {
    case OK:
        mcp->own = NULL;
        return REASON_ALLOWED;
    case ERROR_LIMIT:
        return REASON_CAPACITY;
    default:
        return REASON_UPSTREAM_PROTOCOL;
    }
}
