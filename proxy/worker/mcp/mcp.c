#include "worker/mcp/mcp.h"

#include "worker/client/grant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static void forget_stream(struct mcp *mcp)
{
    if (mcp->events != NULL)
        sse_clear(mcp->events);
    free(mcp->events);
    free(mcp->salvage);
    json_scan_destroy(mcp->ahead);
    mcp->events = NULL;
    mcp->salvage = NULL;
    mcp->ahead = NULL;
}

void mcp_forget_stream(struct exchange *exchange)
{
    forget_stream(mcp_of(exchange));
    exchange->content_bytes = 0;
}

void mcp_end(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);

    if (mcp == NULL)
        return;
    exchange->content = NULL;
    if (mcp->session != NULL && mcp->awaited != NULL) {
        if (mcp->resumable)
            vet_state_let_go(mcp->session->vet, mcp->awaited);
        else
            vet_state_forget(mcp->session->vet, DIRECTION_C2S, mcp->awaited);
    }
    /* Unless another stream of its session's has taken it over. */
    if (mcp->session != NULL && mcp->session->stream == exchange) {
        mcp->session->stream = NULL;
        mcp_endpoints_end(&mcp_shared_of(exchange)->endpoints, mcp->session);
        mcp_sessions_end(mcp_sessions_of(exchange), mcp->session);
    }
    mcp_sessions_release(mcp->session);
    vet_state_destroy(mcp->own);
    mcp_sessions_release(mcp->common);
    free(mcp->target);
    free(mcp->awaited);
    for (size_t i = 0; i < sizeof(mcp->headers) / sizeof(mcp->headers[0]); i++)
        free(mcp->headers[i]);
    forget_stream(mcp);
    free(mcp);
}

static enum error create_state(const struct exchange *exchange, struct vet_state **out)
{
    const struct connection *connection = exchange->connection;

    return vet_state_create(connection->worker->quotas,
                            quota_session(connection->surface_index, connection->session_id), out);
}

/*
 * A session whose id the service gave anew is another one: who holds the old one and waits for
 * nothing there goes over to it.
 */
static void follow(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);
    const struct connection *connection = exchange->connection;
    const struct mcp_session_key key = {connection->surface_index, connection->session_id,
                                        span_of(mcp->session->id)};
    struct mcp_session *next;

    if (!mcp->session->ended || mcp->awaited != NULL || mcp->endpoint)
        return;
    next = mcp_sessions_find(mcp_sessions_of(exchange), &key);
    if (next == NULL)
        return;
    mcp_sessions_release(mcp->session);
    mcp->session = next;
}

struct vet_state *mcp_state(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);

    if (mcp->session != NULL) {
        follow(exchange);
        return mcp->session->vet;
    }
    return mcp->own != NULL || create_state(exchange, &mcp->own) == OK ? mcp->own : NULL;
}

bool mcp_waits(struct exchange *exchange)
{
    const struct mcp *mcp = mcp_of(exchange);
    struct vet_state *state = mcp->awaited != NULL ? mcp_state(exchange) : NULL;

    return state != NULL && vet_state_waits(state, mcp->awaited);
}

/* No service says such an id: it begins with a space. */
#define COMMON_ID_SIZE (IPC_SESSION_ID_SIZE + 1)

/*
 * Without an MCP session a client's answer to what a service asks on one exchange comes on
 * another: it is looked for among all that is asked of the gate's session. `create`: something
 * may be asked now. Without room or memory it is kept for the exchange alone.
 */
static void find_common(struct exchange *exchange, struct vet_state *own, bool create)
{
    const struct connection *connection = exchange->connection;
    struct mcp *mcp = mcp_of(exchange);
    char id[COMMON_ID_SIZE];
    struct mcp_session_key key = {connection->surface_index, connection->session_id, {id, 0}};
    struct vet_state *state;

    if (mcp->common != NULL)
        return;
    key.id.length = (size_t)snprintf(id, sizeof(id), " %s", connection->session_id);
    mcp->common = mcp_sessions_find(mcp_sessions_of(exchange), &key);
    if (mcp->common == NULL && create && create_state(exchange, &state) == OK &&
        mcp_sessions_open(mcp_sessions_of(exchange), &key, state, &mcp->common) != OK)
        vet_state_destroy(state);
    if (mcp->common != NULL)
        vet_state_share(own, mcp->common->vet);
}

enum reason mcp_open_session(struct exchange *exchange, struct span id)
{
    struct mcp *mcp = mcp_of(exchange);
    struct mcp_session_key key = {exchange->connection->surface_index,
                                  exchange->connection->session_id, id};
    struct vet_state *state = mcp_state(exchange);

    if (state == NULL)
        return REASON_OUT_OF_MEMORY;
    mcp_sessions_make_way(mcp_sessions_of(exchange), &key, (int64_t)time(NULL));
    switch (mcp_sessions_open(mcp_sessions_of(exchange), &key, state, &mcp->session)) {
    case OK:
        mcp->session->expires_at = exchange->connection->expires_at;
        vet_state_share(state, NULL);
        mcp->own = NULL;
        return REASON_ALLOWED;
    case ERROR_EXISTS:
        return REASON_MCP_SESSION_TAKEN;
    case ERROR_DENIED:
        return REASON_QUOTA_MCP_SESSIONS;
    case ERROR_LIMIT:
        return REASON_MCP_SESSIONS_FULL;
    case ERROR_MEMORY:
        return REASON_OUT_OF_MEMORY;
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
        return mcp->session != NULL ? REASON_ALLOWED : REASON_MCP_SESSION_TAKEN;
    }
    reason = mcp_open_session(exchange, target);
    if (!reason_allows(reason))
        return reason;
    if (mcp_endpoints_open(endpoints, place, mcp->session) == OK)
        return REASON_ALLOWED;
    mcp_sessions_end(mcp_sessions_of(exchange), mcp->session);
    return REASON_MCP_SESSIONS_FULL;
}

/* What vetting goes by, and with what state: NULL without memory. */
static struct vet_state *begin_vetting(struct exchange *exchange, struct vet_rules *rules)
{
    const struct mcp *mcp = mcp_of(exchange);
    struct vet_state *state = mcp_state(exchange);

    *rules = grant_rules(exchange->connection);
    if (state != NULL && mcp->session == NULL && !mcp->modern)
        find_common(exchange, state, mcp->events != NULL);
    rules->resumable = mcp->session != NULL;
    return state;
}

void mcp_look_ahead(struct exchange *exchange, struct span text)
{
    struct mcp *mcp = mcp_of(exchange);

    if (text.length >= VET_AHEAD_BYTES_MIN) {
        const struct vet_rules rules = grant_rules(exchange->connection);

        vet_ahead(&mcp->ahead, &rules, text);
    }
    exchange->content_bytes = (uint32_t)(vet_ahead_holds(mcp->ahead) +
                                         (mcp->events != NULL ? sse_holds(mcp->events) : 0));
}

void mcp_forget_ahead(struct exchange *exchange)
{
    struct mcp *mcp = mcp_of(exchange);

    json_scan_destroy(mcp->ahead);
    mcp->ahead = NULL;
}

bool mcp_vet(struct exchange *exchange, enum direction direction, bool replay, struct span text,
             struct vet_result *result)
{
    const struct mcp *mcp = mcp_of(exchange);
    struct mcp_http_headers headers = {mcp->headers[0], mcp->headers[1], mcp->headers[2]};
    struct vet_rules rules;
    struct vet_state *state = begin_vetting(exchange, &rules);

    if (state == NULL)
        return false;
    rules.http = direction == DIRECTION_C2S ? &headers : NULL;
    rules.late = direction == DIRECTION_C2S ? exchange->late : REASON_INTERNAL;
    rules.replay = replay;
    rules.ahead = direction == DIRECTION_S2C ? mcp->ahead : NULL;
    vet_message(state, exchange->connection->worker->scratch, &rules, direction, text.data,
                text.length, true, result);
    if (rules.ahead != NULL)
        mcp_forget_ahead(exchange);
    grant_note(exchange->connection, direction, result);
    return true;
}

bool mcp_vet_too_big(struct exchange *exchange, const struct salvage *salvage,
                     struct vet_result *result)
{
    struct vet_rules rules;
    struct vet_state *state = begin_vetting(exchange, &rules);

    if (state == NULL)
        return false;
    rules.replay = mcp_of(exchange)->replay;
    vet_too_big(state, exchange->connection->worker->scratch, &rules, salvage, result);
    grant_note(exchange->connection, DIRECTION_S2C, result);
    return true;
}
