/* The content gate of routes of kind mcp-http, for worker.c; an answer of one message. */
#include "worker/client/grant.h"
#include "worker/mcp/mcp.h"

static bool is_good(const struct http_response *response)
{
    return response->status >= 200 && response->status <= 299;
}

/* The MCP session that the answer names: one, however often; false if several. */
static bool read_session(const struct http_fields *fields, struct span *id)
{
    *id = (struct span){NULL, 0};
    for (size_t i = 0; i < fields->count; i++) {
        if (!span_equals_nocase(fields->list[i].name, "mcp-session-id"))
            continue;
        if (id->data != NULL && !span_same(*id, fields->list[i].value))
            return false;
        *id = fields->list[i].value;
    }
    return true;
}

/* The session's fate as the status tells it. */
static enum reason follow_session(struct exchange *exchange, const struct http_response *response)
{
    struct mcp *mcp = mcp_of(exchange);
    struct span id;

    if (!read_session(&response->fields, &id))
        return REASON_ANSWER_DUPLICATE;
    if (id.data != NULL && mcp->post && is_good(response)) {
        if (mcp->session == NULL)
            return mcp_open_session(exchange, id);
        return span_equals(id, mcp->session->id) ? REASON_ALLOWED : REASON_ANSWER_SESSION;
    }
    if (mcp->session != NULL && (response->status == 404 || (mcp->deletes && is_good(response))))
        mcp_sessions_end(mcp_sessions_of(exchange), mcp->session);
    return REASON_ALLOWED;
}

/* Whether a request's answer is in what comes now, or nowhere. */
static bool is_owed(struct exchange *exchange, const struct http_response *response)
{
    return is_good(response) && !mcp_of(exchange)->resumable && mcp_waits(exchange);
}

static struct gate_verdict answer_begins(struct exchange *exchange,
                                         const struct http_response *response)
{
    struct span type, coding;
    enum reason reason = follow_session(exchange, response);

    if (!reason_allows(reason))
        return gate_drop(reason);
    /* A refusal of the service's: no answer to the request comes elsewhere, either. */
    if (response->status >= 400)
        mcp_of(exchange)->resumable = false;
    if (exchange->answer_body.done)
        return is_owed(exchange, response) ? gate_drop(REASON_ANSWER_MISSING) : gate_go(GATE_PASS);
    if (!reason_allows(http_fields_single(&response->fields, "content-type", &type)) ||
        !reason_allows(http_fields_single(&response->fields, "content-encoding", &coding)))
        return gate_drop(REASON_ANSWER_DUPLICATE);
    if (coding.data != NULL && !span_equals_nocase(coding, "identity")) {
        client_saw(exchange->connection->client, coding);
        return gate_drop(REASON_ANSWER_ENCODED);
    }
    if (http_media_type_is(type, "text/event-stream"))
        return gate_go(GATE_PIECES);
    return gate_go(http_media_type_is(type, "application/json") || response->status < 400
                       ? GATE_HOLD
                       : GATE_PASS);
}

/*
 * What a service says with a status of 400 or more is no answer to a request by
 * its id; it passes if it is strict JSON and cannot be taken for one, or for a
 * request.
 */
static enum reason check_error(struct json_scan *scan, const struct json_limits *limits,
                               struct span text)
{
    static const char *const keys[] = {"method", "params", "result"};
    enum reason reason =
        json_scan_wishing(scan, text, &(struct json_scan_wishes){.limits = limits});

    if (reason_allows(reason) && json_scan_root(scan) != JSON_TYPE_OBJECT)
        reason = REASON_SHAPE_ERROR_BODY;
    for (size_t i = 0; reason_allows(reason) && i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (json_scan_find(scan, -1, keys[i]) != NULL ||
            json_scan_lookalike(scan, -1, keys[i]) >= 0)
            reason = REASON_SHAPE_ERROR_BODY;
    }
    return reason;
}

static struct gate_verdict send_text(struct span text)
{
    return (struct gate_verdict){.action = GATE_SEND, .text = text};
}

/*
 * What may not pass of an error is its body, not its status: clients of both eras go by that, if
 * what comes with it is nothing of JSON-RPC's.
 */
static struct gate_verdict answer_error(struct exchange *exchange, unsigned status,
                                        struct span text)
{
    struct connection *connection = exchange->connection;
    enum reason reason = check_error(connection->worker->scan,
                                     &connection->surface->json_limits[DIRECTION_S2C], text);
    struct vet_result result = {.action = VET_FORWARD, .reason = reason};

    if (connection->surface->mode != MODE_OBSERVE && !reason_allows(reason))
        result.action = VET_REFUSE;
    grant_note(connection, DIRECTION_S2C, &result);
    if (result.action == VET_FORWARD)
        return send_text(text);
    buffer_append_format(&exchange->text,
                         "Sidelock kept back what the service said with this status: %s (%s)\n",
                         reason_info(reason)->text, reason_info(reason)->code);
    return (struct gate_verdict){.action = GATE_ANSWER,
                                 .status = status,
                                 .type = "text/plain",
                                 .text = {exchange->text.data, exchange->text.length}};
}

/*
 * Where no message is owed: a remark for people ("Accepted") or for nobody ("{}", "null") goes
 * no further.
 */
static struct gate_verdict answer_nobody(const struct exchange *exchange,
                                         const struct http_response *response)
{
    if (response->status != 200 || !mcp_of(exchange)->post)
        return send_text(span_of(""));
    return (struct gate_verdict){
        .action = GATE_ANSWER, .status = 202, .type = "text/plain", .text = span_of("")};
}

/* The answer to a request. */
static struct gate_verdict answer_message(struct exchange *exchange, struct span body)
{
    struct vet_result result;

    if (!mcp_vet(exchange, DIRECTION_S2C, false, body, &result))
        return gate_drop(REASON_OUT_OF_MEMORY);
    if (result.action == VET_FORWARD) {
        if (reason_allows(result.reason) && mcp_waits(exchange))
            return gate_drop(REASON_ANSWER_MISSING); /* it was something else */
        return send_text(result.forward.data != NULL ? result.forward : body);
    }
    if (result.counterpart.data == NULL)
        return gate_drop(mcp_waits(exchange) ? result.reason : REASON_ANSWER_REFUSED);
    return (struct gate_verdict){.action = GATE_ANSWER,
                                 .status = 200,
                                 .type = "application/json",
                                 .text = result.counterpart};
}

static struct gate_verdict answer_whole(struct exchange *exchange,
                                        const struct http_response *response, struct span body)
{
    struct span type;

    if (response->status >= 400)
        return answer_error(exchange, response->status, body);
    if (mcp_of(exchange)->awaited == NULL || mcp_of(exchange)->resumable || !is_good(response))
        return answer_nobody(exchange, response);
    if (body.length == 0)
        return is_owed(exchange, response) ? gate_drop(REASON_ANSWER_MISSING)
                                           : send_text(span_of(""));
    if (!reason_allows(http_fields_single(&response->fields, "content-type", &type)) ||
        !http_media_type_is(type, "application/json")) {
        client_saw(exchange->connection->client, type);
        return gate_drop(response->status == 202 ? REASON_ANSWER_MISSING : REASON_ANSWER_TYPE);
    }
    return answer_message(exchange, body);
}

void mcp_shared_clear(struct mcp_shared *shared)
{
    mcp_endpoints_clear(&shared->endpoints);
    mcp_sessions_end_all(&shared->sessions, NULL);
}

struct content_gate mcp_gate(struct mcp_shared *shared)
{
    return (struct content_gate){.reads_answer = true,
                                 .says_late = true,
                                 .request_begins = mcp_request_begins,
                                 .request_whole = mcp_request_whole,
                                 .answer_begins = answer_begins,
                                 .answer_grows = mcp_look_ahead,
                                 .answer_whole = answer_whole,
                                 .answer_piece = mcp_events_receive,
                                 .answer_ends = mcp_events_end,
                                 .fails = mcp_fails,
                                 .end = mcp_end,
                                 .context = shared};
}
