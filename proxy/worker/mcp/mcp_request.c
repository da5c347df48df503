/* What a client asks, for mcp_gate.c: vetted before the service hears of it. */
#include "worker/client/grant.h"
#include "worker/client/rates.h"
#include "worker/mcp/mcp.h"

#include <string.h>

/* ---- Refusals ---- */

struct gate_verdict mcp_answer_on_stream(struct exchange *exchange,
                                         const struct gate_verdict *verdict)
{
    const struct mcp_session *session = mcp_of(exchange)->session;
    struct exchange *stream = session != NULL ? session->stream : NULL;
    struct gate_verdict result = *verdict;

    if (stream != NULL && mcp_events_say(stream, verdict->text)) {
        result.status = 202;
        result.type = "text/plain";
        result.text = span_of("");
    } else if (result.status < 400) {
        result.status = 502; /* what the body says is not read otherwise */
    }
    return result;
}

/* In JSON-RPC's words where there are any; else the connection is dropped. */
static struct gate_verdict refuse(struct exchange *exchange, const struct mcp_http_refused *refused)
{
    const struct mcp_session *session = mcp_of(exchange)->session;
    struct gate_verdict verdict = {
        .action = GATE_ANSWER, .reason = refused->reason, .type = "application/json"};
    struct buffer *text = &exchange->text;

    mcp_http_refusal(refused, text, &verdict.status);
    if (text->length == 0 || buffer_failed(text))
        return gate_drop(refused->reason);
    verdict.text = (struct span){text->data, text->length};
    return session != NULL && session->stream != NULL && refused->kind == MESSAGE_REQUEST
               ? mcp_answer_on_stream(exchange, &verdict)
               : verdict;
}

/* ---- The head ---- */

/* The MCP session that the request belongs to, if it names one; in one way only. */
static enum reason find_session(struct exchange *exchange, const struct head *head)
{
    const struct request *asked = &head->asked.request;
    const struct mcp_place place = {exchange->connection->surface_index,
                                    exchange->connection->route, asked->path, asked->query};
    struct mcp *mcp = mcp_of(exchange);
    struct mcp_session_key key = {.surface = exchange->connection->surface_index,
                                  .session_id = exchange->connection->session_id};
    struct mcp_session *named;
    enum reason reason = http_fields_single(&head->request.fields, "mcp-session-id", &key.id);

    if (!reason_allows(reason))
        return reason;
    if (mcp->post && mcp_endpoints_find(&mcp_shared_of(exchange)->endpoints, &place, &named)) {
        if (named != NULL && key.id.data == NULL)
            mcp->session = mcp_sessions_hold(mcp_sessions_of(exchange), named, key.session_id);
        mcp->resumable = true; /* HTTP+SSE: its answer does come on another stream */
    } else if (key.id.data != NULL) {
        mcp->session = mcp_sessions_find(mcp_sessions_of(exchange), &key);
    } else {
        return REASON_ALLOWED;
    }
    if (mcp->session == NULL)
        return REASON_MCP_SESSION_UNKNOWN;
    mcp->session->expires_at = exchange->connection->expires_at; /* it may have been renewed */
    return REASON_ALLOWED;
}

/* The event from which a stream is to go on, if it is one that this session was given. */
static enum reason find_event(struct exchange *exchange, const struct http_request *request)
{
    const struct connection *connection = exchange->connection;
    struct mcp *mcp = mcp_of(exchange);
    struct span id;
    enum reason reason = http_fields_single(&request->fields, "last-event-id", &id);

    if (!reason_allows(reason) || id.length == 0)
        return reason;
    mcp->replay = !mcp->post;
    return handles_held(grant_handles(connection), connection->session_id, HANDLE_EVENT, id)
               ? REASON_ALLOWED
               : REASON_HANDLE_UNKNOWN;
}

/* The headers that the body is compared with, kept until it is there. */
static enum reason keep_headers(struct mcp *mcp, const struct http_request *request)
{
    static const char *const names[] = {"mcp-protocol-version", "mcp-method", "mcp-name"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct span value;
        enum reason reason = http_fields_single(&request->fields, names[i], &value);

        if (!reason_allows(reason))
            return reason;
        if (value.data != NULL && (mcp->headers[i] = text_copy(value)) == NULL)
            return REASON_OUT_OF_MEMORY;
    }
    return REASON_ALLOWED;
}

static enum reason read_head(struct exchange *exchange, const struct head *head)
{
    struct mcp *mcp = mcp_create(exchange, &head->asked.request);
    enum reason reason;

    if (mcp == NULL)
        return REASON_OUT_OF_MEMORY;
    if (mcp->post)
        reason = content_check_json(&head->request);
    else
        reason =
            exchange->request_body.done || mcp->deletes ? REASON_ALLOWED : REASON_BODY_UNEXPECTED;
    if (reason_allows(reason))
        reason = keep_headers(mcp, &head->request);
    if (reason_allows(reason))
        reason = find_session(exchange, head);
    return reason_allows(reason) ? find_event(exchange, &head->request) : reason;
}

struct gate_verdict mcp_request_begins(struct exchange *exchange)
{
    enum reason reason = read_head(exchange, exchange->connection->client->head);

    /* A client understands that its session is not there, if it is told in its own words. */
    if (reason == REASON_MCP_SESSION_UNKNOWN)
        return refuse(exchange, &(struct mcp_http_refused){.reason = reason});
    if (!reason_allows(reason))
        return gate_drop(reason);
    return gate_go(exchange->request_body.done && !mcp_of(exchange)->post ? GATE_PASS : GATE_HOLD);
}

/* ---- The message ---- */

static struct gate_verdict refuse_message(struct exchange *exchange,
                                          const struct vet_result *result)
{
    if (result->action == VET_CLOSE &&
        exchange->connection->surface->on_refusal == ON_REFUSAL_CLOSE)
        exchange->keep_alive = false;
    return refuse(exchange,
                  &(struct mcp_http_refused){.reason = result->reason,
                                             .era = result->era,
                                             .kind = result->kind,
                                             .id = result->id[0] != '\0' ? span_of(result->id)
                                                                         : (struct span){NULL, 0}});
}

struct gate_verdict mcp_request_whole(struct exchange *exchange, struct span body)
{
    struct mcp *mcp = mcp_of(exchange);
    struct vet_result result;

    /* What some clients send with a DELETE says nothing, and goes no further. */
    if (!mcp->post) {
        assembly_clear(&exchange->held);
        assembly_begin(&exchange->held, exchange->activity_ms);
        return gate_go(GATE_PASS);
    }
    if (exchange->late == REASON_INTERNAL)
        exchange->late = rates_late(exchange->connection, ALLOWANCE_MESSAGES, 0);
    if (!mcp_vet(exchange, DIRECTION_C2S, false, body, &result))
        return gate_drop(REASON_OUT_OF_MEMORY);
    if (result.action != VET_FORWARD)
        return refuse_message(exchange, &result);
    mcp->modern = result.era == MCP_MODERN;
    if (result.kind == MESSAGE_REQUEST && (mcp->awaited = strdup(result.id_key)) == NULL)
        return gate_drop(REASON_OUT_OF_MEMORY);
    return gate_go(GATE_PASS);
}
