#include "launch/relay/request.h"

#include "launch/relay/answer.h"
#include "launch/relay/deliver.h"
#include "launch/relay/socket.h"
#include "launch/relay/splice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SESSION_HEADER    "mcp-session-id"
#define VERSION_HEADER    "mcp-protocol-version"
#define MODERN_SINCE      "2026-07-28" /* revisions compare as dates do */
#define REFUSAL_BYTES_MAX 2048
#define CAPABILITIES      "io.modelcontextprotocol/clientCapabilities"

/* ---- A message that was posted ---- */

static void refuse(struct link *link, unsigned status, int code, const char *text)
{
    answer_error(link, status, code, text, NULL);
    link_rest(link);
}

static void copy(struct span span, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)span.length, span.length > 0 ? span.data : "");
}

/* In the modern era ids and tokens are the clients' own, so here they have others. */
static enum error say_modern(struct session *session, struct link *link, struct span text,
                             const struct rpc *rpc)
{
    struct span token = splice_asked_token(session->house->scan);
    struct buffer out;
    enum error error;

    snprintf(link->key, sizeof(link->key), "%" PRIu64, ++session->ids);
    if (token.data != NULL) {
        copy(token, link->token, sizeof(link->token));
        snprintf(link->token_key, sizeof(link->token_key), "%s", link->key);
    }
    buffer_init(&out, text.length + 2 * RPC_ID_KEY_SIZE);
    splice_write(&out, text, (struct splice){rpc->id, link->key},
                 (struct splice){token, link->key});
    error = buffer_failed(&out) ? ERROR_MEMORY
                                : session_say(session, (struct span){out.data, out.length});
    buffer_clear(&out);
    return error;
}

static enum error say_legacy(struct session *session, struct link *link, struct span text,
                             const struct rpc *rpc)
{
    struct span token = splice_asked_token(session->house->scan);

    for (const struct link *other = session->links; other != NULL; other = other->neighbour) {
        if (other != link && strcmp(other->key, rpc->id_key) == 0)
            return ERROR_EXISTS;
    }
    snprintf(link->key, sizeof(link->key), "%s", rpc->id_key);
    copy(token, link->token_key, sizeof(link->token_key));
    return session_say(session, text);
}

/* A request: its answer will come on this link. */
static void ask(struct session *session, struct link *link, struct span text, const struct rpc *rpc)
{
    enum error error;

    session_join(session, link, LINK_FIRST);
    link->modern = session->kind == SESSION_MODERN;
    memcpy(link->version, rpc->version, sizeof(link->version));
    error =
        link->modern ? say_modern(session, link, text, rpc) : say_legacy(session, link, text, rpc);
    if (error == OK) {
        buffer_clear(&link->body);
        deliver_backlog(session, link);
        return;
    }
    link->key[0] = '\0';
    session_part(session, link);
    if (error == ERROR_EXISTS)
        refuse(link, 400, RPC_INVALID_REQUEST, "a request with this id has no answer yet");
    else
        refuse(link, 503, RPC_LOST, "the service's process does not read what it is sent");
}

/* A process speaks that of which it was asked first, and looks at no other. */
static void refuse_version(struct link *link, const char *spoken, const char *asked)
{
    struct buffer text;

    buffer_init(&text, REFUSAL_BYTES_MAX);
    buffer_append_format(&text,
                         "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32022,\"message\":"
                         "\"the service speaks another revision\",\"data\":{\"supported\":[",
                         link->id);
    buffer_append_json_string(&text, spoken, strlen(spoken));
    buffer_append_text(&text, "],\"requested\":");
    buffer_append_json_string(&text, asked, strlen(asked));
    buffer_append_text(&text, "}}}");
    answer_message(link, 400, (struct span){text.data, text.length}, "");
    buffer_clear(&text);
    link_rest(link);
}

/* The process would say so itself, but not with the status that the revision demands. */
static bool has_capabilities(const struct json_scan *scan)
{
    const struct json_member *member =
        json_scan_find_in(scan, rpc_param(scan, "_meta"), CAPABILITIES);

    return member != NULL && member->type == JSON_TYPE_OBJECT;
}

static void post_modern(struct house *house, struct link *link, struct span text,
                        const struct rpc *rpc)
{
    struct session *session;

    if (rpc->kind != RPC_REQUEST) { /* clients cancel by closing, and answer by asking again */
        answer_status(link, 202, "");
        link_rest(link);
        return;
    }
    if (!has_capabilities(house->scan)) {
        refuse(link, 400, RPC_INVALID_PARAMS, "params._meta has no object " CAPABILITIES);
        return;
    }
    session = session_modern(house);
    if (session != NULL && session->version[0] != '\0' &&
        strcmp(session->version, rpc->version) != 0) {
        refuse_version(link, session->version, rpc->version);
        return;
    }
    if (session == NULL)
        session = session_create(house, SESSION_MODERN);
    if (session == NULL)
        refuse(link, 503, RPC_LOST, "there is no memory for a process");
    else
        ask(session, link, text, rpc);
}

static void open_session(struct house *house, struct link *link, struct span text,
                         const struct rpc *rpc)
{
    struct session *session = session_create(house, SESSION_LEGACY);

    if (session == NULL) {
        refuse(link, 503, RPC_LOST, "there is no memory for a process");
        return;
    }
    link->opens = true;
    ask(session, link, text, rpc);
}

static void post_legacy(struct house *house, struct link *link, struct span session_id,
                        struct span text, const struct rpc *rpc)
{
    struct session *session;

    if (session_id.data == NULL) {
        if (rpc->kind == RPC_REQUEST && strcmp(rpc->method, "initialize") == 0)
            open_session(house, link, text, rpc);
        else
            refuse(link, 400, RPC_INVALID_REQUEST,
                   "there is no Mcp-Session-Id: a session begins with initialize");
        return;
    }
    session = session_find(house, session_id);
    if (session == NULL) {
        refuse(link, 404, RPC_LOST, "there is no such session any more");
    } else if (rpc->kind == RPC_REQUEST) {
        ask(session, link, text, rpc);
    } else if (session_say(session, text) == OK) {
        answer_status(link, 202, "");
        link_rest(link);
    } else {
        refuse(link, 503, RPC_LOST, "the service's process does not read what it is sent");
    }
}

/* What the head says of a message. */
struct posted {
    struct span session_id; /* absent: none */
    bool modern;            /* it is said to be of the modern era */
};

static bool says_modern(const struct http_request *request)
{
    char text[sizeof(MODERN_SINCE)];
    struct span version = {NULL, 0};
    enum reason reason = http_fields_single(&request->fields, VERSION_HEADER, &version);
    copy(version, text, sizeof(text));
    return reason_allows(reason) && strcmp(text, MODERN_SINCE) >= 0;
}

/* The scanner's members are those of this message until something else is read. */
static void post(struct house *house, struct link *link, const struct posted *posted)
{
    struct span text = {link->body.data, link->body.length};
    struct rpc rpc;
    enum error error =
        text.length > 0 ? rpc_read(house->scan, link->body.data, text.length, &rpc) : ERROR_SYNTAX;

    if (error == OK && rpc.kind == RPC_REQUEST)
        copy(rpc.id, link->id, sizeof(link->id));
    if (error == ERROR_SYNTAX)
        refuse(link, 400, RPC_PARSE_ERROR, "the body is not JSON");
    else if (error != OK)
        refuse(link, 400, RPC_INVALID_REQUEST, "the body is no single JSON-RPC message");
    else if (strcmp(rpc.version, MODERN_SINCE) >= 0)
        post_modern(house, link, text, &rpc);
    else if (posted->modern && posted->session_id.data == NULL && rpc.kind == RPC_REQUEST)
        refuse(link, 400, RPC_INVALID_PARAMS,
               "params._meta does not name the protocol version that the header names");
    else
        post_legacy(house, link, posted->session_id, text, &rpc);
}

/* ---- GET, DELETE ---- */

static void listen_to(struct link *link, struct session *session)
{
    if (session_listener(session) != NULL) {
        refuse(link, 409, RPC_INVALID_REQUEST, "somebody listens to this session already");
        return;
    }
    session_join(session, link, LINK_LISTENING);
    answer_begin(link, "");
    deliver_backlog(session, link);
}

static void end_session(struct link *link, struct session *session)
{
    session_join(session, link, LINK_DELETING);
    session_end(session, "the session was ended by its client", REASON_SERVICE_DOWN);
}

static void without_body(struct house *house, struct link *link, const struct http_request *request,
                         struct span session_id)
{
    bool get = span_equals(request->method, "GET");
    struct session *session;

    if (session_id.data == NULL || (!get && !span_equals(request->method, "DELETE"))) {
        answer_status(link, 405, "Allow: GET, POST, DELETE\r\n");
        link_rest(link);
        return;
    }
    session = session_find(house, session_id);
    if (session == NULL)
        refuse(link, 404, RPC_LOST, "there is no such session any more");
    else if (get)
        listen_to(link, session);
    else
        end_session(link, session);
}

/* ---- A request ---- */

/* The gate writes what we read; what it would not write is no request. */
static void fail(struct link *link)
{
    answer_status(link, 400, "Connection: close\r\n");
    link_rest(link);
    link->wait = LINK_OVER;
}

static void whole(struct link *link)
{
    struct http_request request;
    enum reason reason = REASON_ALLOWED;
    struct posted posted = {.session_id = {NULL, 0}};
    struct house *house = link->house;

    (void)http_request_parse(link->head.data, link->head.length, &request, &reason);
    link->receiving = false;
    posted.modern = says_modern(&request);
    if (!reason_allows(http_fields_single(&request.fields, SESSION_HEADER, &posted.session_id)))
        fail(link);
    else if (span_equals(request.method, "POST"))
        post(house, link, &posted);
    else
        without_body(house, link, &request, posted.session_id);
    buffer_clear(&link->head);
}

/* False: more is to come. */
static bool read_head(struct link *link)
{
    struct http_request request;
    enum reason reason = REASON_ALLOWED;
    enum http_progress progress =
        http_request_parse(link->in.data, link->in.length, &request, &reason);

    if (progress == HTTP_MORE)
        return false;
    if (progress == HTTP_COMPLETE &&
        http_fields_have_token(&request.fields, "upgrade", "websocket")) {
        socket_open(link, &request);
        return true;
    }
    if (progress == HTTP_FAULT ||
        !reason_allows(http_body_of_request(&request, true, &link->framing))) {
        fail(link);
        return false;
    }
    buffer_append(&link->head, link->in.data, request.head_bytes);
    buffer_consume(&link->in, request.head_bytes);
    link->receiving = true;
    return true;
}

static bool read_body(struct link *link)
{
    struct span piece = {NULL, 0};
    size_t taken = 0;
    enum http_progress progress =
        http_body_next(&link->framing, link->in.data, link->in.length, &taken, &piece);
    if (piece.length > 0)
        buffer_append(&link->body, piece.data, piece.length);
    buffer_consume(&link->in, taken);
    if (progress == HTTP_FAULT || buffer_failed(&link->body) || buffer_failed(&link->head))
        fail(link);
    else if (progress == HTTP_COMPLETE)
        whole(link);
    return progress == HTTP_COMPLETE || (taken > 0 && link->in.length > 0);
}

void request_bytes(struct link *link)
{
    bool on = true;

    while (on && link->fd >= 0 && link->in.length > 0) {
        if (link->wait == LINK_SOCKET)
            on = socket_bytes(link);
        else if (link->wait != LINK_IDLE)
            on = false; /* the gate asks for one thing after the other */
        else
            on = link->receiving ? read_body(link) : read_head(link);
        if (link->receiving && link->framing.done && link->wait == LINK_IDLE)
            whole(link);
    }
    if (link->fd >= 0 && link->in.length > 0 && link->wait != LINK_IDLE &&
        link->wait != LINK_SOCKET)
        request_gone(link);
}

/* In the modern era that is how a request is cancelled. */
static void cancel(struct session *session, const struct link *link)
{
    char text[256];
    int length = snprintf(text, sizeof(text),
                          "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{"
                          "\"requestId\":%s,\"reason\":\"the client has gone\"}}",
                          link->key);

    (void)!session_say(session, (struct span){text, (size_t)length});
}

void request_gone(struct link *link)
{
    struct session *session = link->session;
    struct house *house = link->house;

    if (session != NULL) {
        if (link->modern && !session->ending &&
            (link->wait == LINK_FIRST || link->wait == LINK_STREAM))
            cancel(session, link);
        session_part(session, link);
        deliver_drained(session);
        if (session->kind == SESSION_SOCKET)
            session_end(session, "its client has gone", REASON_SERVICE_DOWN);
    }
    house->links_open--;
    link_close(link);
}

void request_drained(struct link *link)
{
    if (link->session != NULL)
        deliver_drained(link->session);
    if (link->wait == LINK_OVER)
        request_gone(link);
}
