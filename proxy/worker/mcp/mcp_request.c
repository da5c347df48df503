/* What a client asks, for mcp_gate.c: vetted before the service hears of it. */
#include "wire/url.h"
#include "worker/mcp/mcp.h"

#include <string.h>
#include <strings.h>

#define QUERY_NAME_BYTES_MAX 256

/* ---- Refusals ---- */

/*
 * In JSON-RPC's words where there are any; else the connection is dropped. In HTTP+SSE a
 * request is answered on the stream, and its POST only accepted.
 */
static struct gate_verdict refuse(struct exchange *exchange, const struct mcp_http_refused *refused)
{
    const struct mcp_session *session = mcp_of(exchange)->session;
    struct exchange *stream = session != NULL ? session->stream : NULL;
    struct gate_verdict verdict = {
        .action = GATE_ANSWER, .reason = refused->reason, .type = "application/json"};
    struct buffer *text = &exchange->text;

    mcp_http_refusal(refused, text, &verdict.status);
    if (text->length == 0 || buffer_failed(text))
        return gate_drop(refused->reason);
    verdict.text = (struct span){text->data, text->length};
    if (stream != NULL && refused->kind == MESSAGE_REQUEST &&
        mcp_events_say(stream, verdict.text)) {
        verdict.status = 202;
        verdict.type = "text/plain";
        verdict.text = span_of("");
    }
    return verdict;
}

/* ---- The head ---- */

/*
 * Whether a query names a session, as the endpoints of HTTP+SSE do. The service
 * decodes names, so they are decoded here; what cannot be might be anything.
 */
static bool names_session(const char *query)
{
    struct span rest = span_of(query), name, value;

    while (url_query_next(&rest, &name, &value)) {
        char text[QUERY_NAME_BYTES_MAX];

        if (url_query_decode(name, text, sizeof(text)) != OK ||
            strncasecmp(text, "sessionid", strlen("sessionid")) == 0 ||
            strncasecmp(text, "session_id", strlen("session_id")) == 0)
            return true;
    }
    return false;
}

/* Whether a POST is for an endpoint of HTTP+SSE: its path and query are whose session it is. */
static bool is_for_endpoint(const struct exchange *exchange, const struct request *asked)
{
    return mcp_of(exchange)->post && asked->query != NULL &&
           (names_session(asked->query) ||
            mcp_sessions_has_endpoint(mcp_sessions_of(exchange),
                                      exchange->connection->surface_index, asked->path));
}

/* The MCP session that the request belongs to, if it names one; in one way only. */
static enum reason find_session(struct exchange *exchange, const struct head *head)
{
    struct mcp *mcp = mcp_of(exchange);
    struct mcp_session_key key = {.surface = exchange->connection->surface_index,
                                  .session_id = exchange->connection->session_id};
    enum reason reason = http_fields_single(&head->request.fields, "mcp-session-id", &key.id);

    if (!reason_allows(reason))
        return reason;
    if (is_for_endpoint(exchange, &head->asked.request)) {
        if (key.id.data != NULL)
            return REASON_MCP_SESSION_UNKNOWN;
        key.id = span_of(mcp->target);
        mcp->resumable = true; /* HTTP+SSE: its answer does come on another stream */
    }
    if (key.id.data == NULL)
        return REASON_ALLOWED;
    mcp->session = mcp_sessions_find(mcp_sessions_of(exchange), &key);
    return mcp->session != NULL ? REASON_ALLOWED : REASON_MCP_SESSION_UNKNOWN;
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
            return REASON_CAPACITY;
    }
    return REASON_ALLOWED;
}

static enum reason read_head(struct exchange *exchange, const struct head *head)
{
    struct mcp *mcp = mcp_create(exchange, &head->asked.request);
    struct span last_event;
    enum reason reason;

    if (mcp == NULL)
        return REASON_CAPACITY;
    if (mcp->post)
        reason = content_check_json(&head->request);
    else
        reason = exchange->request_body.done ? REASON_ALLOWED : REASON_MALFORMED;
    if (reason_allows(reason))
        reason = keep_headers(mcp, &head->request);
    if (reason_allows(reason))
        reason = http_fields_single(&head->request.fields, "last-event-id", &last_event);
    if (!reason_allows(reason))
        return reason;
    mcp->replay = !mcp->post && last_event.data != NULL;
    return find_session(exchange, head);
}

struct gate_verdict mcp_request_begins(struct exchange *exchange)
{
    enum reason reason = read_head(exchange, exchange->connection->client->head);

    /* A client understands that its session is not there, if it is told in its own words. */
    if (reason == REASON_MCP_SESSION_UNKNOWN)
        return refuse(exchange, &(struct mcp_http_refused){.reason = reason});
    if (!reason_allows(reason))
        return gate_drop(reason);
    return gate_go(mcp_of(exchange)->post ? GATE_HOLD : GATE_PASS);
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

    if (!mcp_vet(exchange, DIRECTION_C2S, false, body, &result))
        return gate_drop(REASON_CAPACITY);
    if (result.action != VET_FORWARD)
        return refuse_message(exchange, &result);
    if (result.kind == MESSAGE_REQUEST && (mcp->awaited = strdup(result.id_key)) == NULL)
        return gate_drop(REASON_CAPACITY);
    return gate_go(GATE_PASS);
}
