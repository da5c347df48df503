#include "worker/mcp/mcp.h"

#include "wire/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define QUERY_NAME_BYTES_MAX 256

struct vet_state *mcp_vet_state(struct connection *connection)
{
    struct mcp *mcp = connection->exchange->mcp;

    if (mcp->session != NULL)
        return mcp->session->vet;
    if (mcp->own == NULL && vet_state_create(&mcp->own) != OK)
        return NULL;
    return mcp->own;
}

void mcp_note(struct connection *connection, enum direction direction,
              const struct vet_result *result)
{
    struct surface_counts *counts = &connection->worker->surfaces[connection->surface_index];

    if (!reason_allows(result->reason)) {
        counts->refused++;
        report_refused(connection, direction, result);
    }
    if (result->action == VET_FORWARD) {
        connection->messages[direction]++;
        counts->forwarded++;
    }
}

void mcp_end(struct connection *connection)
{
    struct mcp *mcp = connection->exchange->mcp;

    if (mcp == NULL)
        return;
    connection->exchange->mcp = NULL;
    if (mcp->session != NULL && mcp->awaited[0] != '\0' && !mcp->resumable)
        vet_forget(mcp->session->vet, DIRECTION_C2S, mcp->awaited);
    if (mcp->endpoint && mcp->session != NULL) {
        mcp->session->stream = NULL;
        mcp_sessions_end(&connection->worker->mcp_sessions, mcp->session);
    }
    mcp_sessions_release(mcp->session);
    vet_state_destroy(mcp->own);
    free(mcp->target);
    for (size_t i = 0; i < sizeof(mcp->headers) / sizeof(mcp->headers[0]); i++)
        free(mcp->headers[i]);
    sse_clear(&mcp->events);
    buffer_clear(&mcp->out);
    free(mcp);
}

/* ---- The request's head ---- */

static struct mcp *create(struct connection *connection, const struct ipc_admit *admit)
{
    struct mcp *mcp = calloc(1, sizeof(*mcp));
    size_t room = strlen(admit->path) + (admit->query != NULL ? strlen(admit->query) : 0) + 2;

    if (mcp == NULL)
        return NULL;
    mcp->target = malloc(room);
    if (mcp->target == NULL) {
        free(mcp);
        return NULL;
    }
    snprintf(mcp->target, room, "%s%s%s", admit->path, admit->query != NULL ? "?" : "",
             admit->query != NULL ? admit->query : "");
    mcp->post = strcmp(admit->method, "POST") == 0;
    mcp->deletes = strcmp(admit->method, "DELETE") == 0;
    sse_init(&mcp->events, 2 * (size_t)connection->surface->limits.max_message_bytes);
    buffer_init(&mcp->out, 4 * (size_t)connection->surface->limits.max_message_bytes);
    connection->exchange->mcp = mcp;
    return mcp;
}

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

/* Whether a POST is for an endpoint of HTTP+SSE: its very path and query are whose session it is.
 */
static bool is_for_endpoint(const struct connection *connection, const struct ipc_admit *admit)
{
    return connection->exchange->mcp->post && admit->query != NULL &&
           (names_session(admit->query) ||
            mcp_sessions_has_endpoint(&connection->worker->mcp_sessions, connection->surface_index,
                                      admit->path));
}

/* The MCP session that the request belongs to, if it names one; in one way only. */
static enum reason find_session(struct connection *connection, const struct ipc_admit *admit)
{
    struct mcp *mcp = connection->exchange->mcp;
    struct mcp_session_key key = {.surface = connection->surface_index,
                                  .session_id = connection->session_id};
    enum reason reason =
        http_request_single(&connection->handshake->request, "mcp-session-id", &key.id);

    if (!reason_allows(reason))
        return reason;
    if (is_for_endpoint(connection, admit)) {
        if (key.id.data != NULL)
            return REASON_MCP_SESSION_UNKNOWN;
        key.id = span_of(mcp->target);
        mcp->resumable = true; /* HTTP+SSE: its answer does come on another stream */
    }
    if (key.id.data == NULL)
        return REASON_ALLOWED;
    mcp->session = mcp_sessions_find(&connection->worker->mcp_sessions, &key);
    return mcp->session != NULL ? REASON_ALLOWED : REASON_MCP_SESSION_UNKNOWN;
}

/* The headers that the body is compared with, kept until it is there. */
static enum reason keep_headers(struct connection *connection)
{
    static const char *const names[] = {"mcp-protocol-version", "mcp-method", "mcp-name"};
    struct mcp *mcp = connection->exchange->mcp;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct span value;
        enum reason reason = http_request_single(&connection->handshake->request, names[i], &value);

        if (!reason_allows(reason))
            return reason;
        if (value.data != NULL && (mcp->headers[i] = text_copy(value)) == NULL)
            return REASON_CAPACITY;
    }
    return REASON_ALLOWED;
}

enum reason mcp_begin(struct connection *connection, const struct ipc_admit *admit, bool *hold)
{
    const struct http_request *request = &connection->handshake->request;
    struct mcp *mcp = create(connection, admit);
    struct span last_event;
    enum reason reason;

    if (mcp == NULL)
        return REASON_CAPACITY;
    *hold = mcp->post;
    if (mcp->post)
        reason = held_check_json(request);
    else
        reason = connection->exchange->request_body.done ? REASON_ALLOWED : REASON_MALFORMED;
    if (reason_allows(reason))
        reason = keep_headers(connection);
    if (reason_allows(reason))
        reason = http_request_single(request, "last-event-id", &last_event);
    if (reason_allows(reason)) {
        mcp->replay = !mcp->post && last_event.data != NULL;
        reason = find_session(connection, admit);
    }
    return reason;
}

/* ---- The request ---- */

void mcp_refuse(struct connection *connection, const struct mcp_http_refused *refused)
{
    const struct mcp_session *session = connection->exchange->mcp->session;
    struct connection *stream = session != NULL ? session->stream : NULL;
    struct buffer text;
    unsigned status = 0;

    buffer_init(&text, HTTP_HEAD_BYTES_MAX);
    mcp_http_refusal(refused, &text, &status);
    /* In HTTP+SSE a request is answered on the stream, and its POST only accepted. */
    if (stream != NULL && refused->kind == MESSAGE_REQUEST && text.length > 0 &&
        !buffer_failed(&text) && mcp_events_say(stream, (struct span){text.data, text.length}))
        exchange_answer(connection, 202, "text/plain", (struct span){"", 0});
    else if (text.length > 0 && !buffer_failed(&text))
        exchange_answer(connection, status, "application/json",
                        (struct span){text.data, text.length});
    else
        connection_drop(connection, refused->reason);
    buffer_clear(&text);
}

static void refuse_message(struct connection *connection, const struct vet_result *result)
{
    struct exchange *exchange = connection->exchange;
    /* Copied: the answer ends the exchange. */
    struct vet_result kept = *result;

    if (result->action == VET_CLOSE && connection->surface->on_refusal == ON_REFUSAL_CLOSE)
        exchange->keep_alive = false;
    mcp_refuse(connection,
               &(struct mcp_http_refused){.reason = kept.reason,
                                          .era = kept.era,
                                          .kind = kept.kind,
                                          .id = kept.id[0] != '\0' ? span_of(kept.id)
                                                                   : (struct span){NULL, 0}});
}

void mcp_request(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct mcp *mcp = exchange->mcp;
    struct mcp_http_headers headers = {mcp->headers[0], mcp->headers[1], mcp->headers[2]};
    struct vet_rules rules = relay_rules(connection);
    struct vet_state *state = mcp_vet_state(connection);
    struct vet_result result;

    if (state == NULL) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    rules.http = &headers;
    rules.resumable = mcp->session != NULL;
    vet_message(state, connection->worker->scratch, &rules, DIRECTION_C2S,
                exchange->held.data != NULL ? (const char *)exchange->held.data + PRE_BYTES : "",
                exchange->held.length, true, &result);
    mcp_note(connection, DIRECTION_C2S, &result);
    if (result.action != VET_FORWARD) {
        refuse_message(connection, &result);
        return;
    }
    mcp->era = result.era;
    if (result.kind == MESSAGE_REQUEST)
        memcpy(mcp->awaited, result.id_key, sizeof(mcp->awaited));
    exchange_forward(connection);
}

/* ---- The answer ---- */

/* The service opened an MCP session: from now on it belongs to whoever asked for it. */
static enum reason open_session(struct connection *connection, struct span id)
{
    struct mcp *mcp = connection->exchange->mcp;
    struct mcp_session_key key = {connection->surface_index, connection->session_id, id};
    struct vet_state *state;

    if (mcp->session != NULL)
        return span_equals(id, mcp->session->id) ? REASON_ALLOWED : REASON_UPSTREAM_PROTOCOL;
    state = mcp_vet_state(connection);
    if (state == NULL)
        return REASON_CAPACITY;
    switch (mcp_sessions_open(&connection->worker->mcp_sessions, &key, state, &mcp->session)) {
    case OK:
        mcp->own = NULL;
        return REASON_ALLOWED;
    case ERROR_LIMIT:
        return REASON_CAPACITY;
    default:
        return REASON_UPSTREAM_PROTOCOL;
    }
}

/* The session's fate as the status tells it. */
static enum reason follow_session(struct connection *connection,
                                  const struct http_response *response)
{
    struct mcp *mcp = connection->exchange->mcp;
    struct span id;
    enum reason reason = http_response_single(response, "mcp-session-id", &id);
    bool succeeded = response->status >= 200 && response->status <= 299;

    if (!reason_allows(reason))
        return REASON_UPSTREAM_PROTOCOL;
    if (id.data != NULL && mcp->post && succeeded)
        return open_session(connection, id);
    if (mcp->session != NULL && (response->status == 404 || (mcp->deletes && succeeded)))
        mcp_sessions_end(&connection->worker->mcp_sessions, mcp->session);
    return REASON_ALLOWED;
}

enum reason mcp_answer_begin(struct connection *connection, const struct http_response *response,
                             enum answer_mode *mode)
{
    const struct http_body *body = &connection->exchange->answer_body;
    struct span type, coding;
    enum reason reason = follow_session(connection, response);

    *mode = ANSWER_STREAM;
    if (!reason_allows(reason) || body->done)
        return reason;
    if (!reason_allows(http_response_single(response, "content-type", &type)) ||
        !reason_allows(http_response_single(response, "content-encoding", &coding)) ||
        (coding.data != NULL && !span_equals_nocase(coding, "identity")))
        return REASON_UPSTREAM_PROTOCOL;
    if (http_media_type_is(type, "text/event-stream"))
        *mode = ANSWER_EVENTS;
    else if (http_media_type_is(type, "application/json") || response->status < 400)
        *mode = ANSWER_HOLD;
    return REASON_ALLOWED;
}

/*
 * What a service says with a status of 400 or more is no answer to a request by
 * its id; it passes if it is strict JSON and cannot be taken for one, or for a
 * request.
 */
static enum reason check_error(struct connection *connection, struct span text)
{
    static const char *const keys[] = {"method", "params", "result"};
    struct json_scan *scan = connection->worker->scan;
    enum reason reason = json_scan_text(scan, text.data, text.length, NULL);

    if (reason_allows(reason) && json_scan_root(scan) != JSON_TYPE_OBJECT)
        reason = REASON_MESSAGE_SHAPE;
    for (size_t i = 0; reason_allows(reason) && i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (json_scan_find(scan, -1, keys[i]) != NULL ||
            json_scan_lookalike(scan, -1, keys[i]) >= 0)
            reason = REASON_MESSAGE_SHAPE;
    }
    return reason;
}

/*
 * What is no JSON: nothing, or where no message is owed a remark for people
 * ("Accepted"), which goes no further. Else it is a message that nobody could vet.
 */
static void answer_without_message(struct connection *connection,
                                   const struct http_response *response, struct span text)
{
    const struct mcp *mcp = connection->exchange->mcp;

    if (text.length == 0 || response->status == 202 || mcp->deletes)
        held_send(connection, response, (struct span){"", 0});
    else
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
}

static void answer_error(struct connection *connection, const struct http_response *response,
                         struct span text)
{
    enum reason reason = check_error(connection, text);
    struct vet_result result = {.action = VET_FORWARD, .reason = reason};

    if (connection->surface->mode != MODE_OBSERVE && !reason_allows(reason))
        result.action = VET_REFUSE;
    mcp_note(connection, DIRECTION_S2C, &result);
    if (result.action == VET_FORWARD)
        held_send(connection, response, text);
    else
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
}

void mcp_answer(struct connection *connection)
{
    struct exchange *exchange = connection->exchange;
    struct span text = held_text(exchange);
    struct vet_rules rules = relay_rules(connection);
    struct vet_state *state = mcp_vet_state(connection);
    struct http_response response;
    struct vet_result result;
    struct span type;

    if (state == NULL || !held_response(exchange, &response)) {
        connection_drop(connection, REASON_CAPACITY);
        return;
    }
    if (response.status >= 400) {
        answer_error(connection, &response, text);
        return;
    }
    if (text.length == 0 ||
        !reason_allows(http_response_single(&response, "content-type", &type)) ||
        !http_media_type_is(type, "application/json")) {
        answer_without_message(connection, &response, text);
        return;
    }
    rules.resumable = exchange->mcp->session != NULL;
    vet_message(state, connection->worker->scratch, &rules, DIRECTION_S2C, text.data, text.length,
                true, &result);
    mcp_note(connection, DIRECTION_S2C, &result);
    if (result.action == VET_FORWARD)
        held_send(connection, &response, result.forward.data != NULL ? result.forward : text);
    else if (result.counterpart.data != NULL)
        exchange_answer(connection, 200, "application/json", result.counterpart);
    else
        connection_drop(connection, REASON_UPSTREAM_PROTOCOL);
}
