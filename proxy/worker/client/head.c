#include "worker/client/head.h"

#include "base/secret.h"
#include "policy/admission.h"
#include "policy/own_path.h"
#include "policy/stray.h"
#include "wire/http_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTENT_LENGTH_MAX UINT64_C(9999999999) /* ten digits: more is nobody's body */

struct head *head_create(void)
{
    struct head *head = malloc(sizeof(*head));

    if (head != NULL) {
        head->length = 0;
        buffer_init(&head->cookies, HTTP_HEAD_BYTES_MAX);
        buffer_init(&head->strays, HTTP_HEAD_BYTES_MAX);
        head_replace(head, "", 0);
    }
    return head;
}

void head_destroy(struct head *head)
{
    if (head == NULL)
        return;
    secret_wipe(head->bytes, head->length);
    buffer_wipe(&head->cookies);
    buffer_wipe(&head->strays);
    free(head);
}

void head_replace(struct head *head, const void *bytes, size_t length)
{
    memmove(head->bytes, bytes, length);
    if (head->length > length)
        secret_wipe(head->bytes + length, head->length - length);
    head->length = length;
    head->request = (struct http_request){0};
    head->route = NULL;
    head->body = NULL;
    buffer_wipe(&head->cookies);
    buffer_wipe(&head->strays);
    head->path[0] = head->key[0] = head->ticket_subprotocol[0] = '\0';
}

const char *head_terminate(struct head *head, struct span span)
{
    if (span.data == NULL)
        return NULL;
    head->bytes[(size_t)(span.data - head->bytes) + span.length] = '\0';
    return span.data;
}

/* Path and query lie one behind the other, and between them what head_read() ended the path with.
 */
static struct span target_of(struct head *head)
{
    const struct http_request *request = &head->request;
    struct span last = request->query.data != NULL ? request->query : request->path;
    size_t length = 0;

    if (request->query.data != NULL)
        head->bytes[request->query.data - head->bytes - 1] = '?';
    if (last.data != NULL)
        return (struct span){request->path.data,
                             (size_t)(last.data - request->path.data) + last.length};
    while (length < head->length && length < HTTP_HEAD_BYTES_MAX - 1 &&
           memchr("\r\n", head->bytes[length], 3) == NULL)
        length++;
    return (struct span){head->bytes, length};
}

const char *head_stray_target(struct head *head)
{
    struct stray stray = {0};
    const struct span target = target_of(head);
    const char *text = head_terminate(head, target);

    return stray_in(&stray, target, own_path_is(text)) ? text : NULL;
}

static struct span find_field(const struct head *head, const char *name)
{
    const struct http_fields *fields = &head->request.fields;

    for (size_t i = 0; i < fields->count; i++) {
        if (span_equals_nocase(fields->list[i].name, name))
            return fields->list[i].value;
    }
    return (struct span){NULL, 0};
}

struct span head_shown(struct span text, size_t bytes_max)
{
    struct stray stray = {0};

    if (text.length <= bytes_max)
        return text;
    return stray_in(&stray, text, false) ? span_of(STRAY_MARK)
                                         : (struct span){text.data, bytes_max};
}

/* NULL for what is absent. */
static const char *copy_told(struct span text, char *out, size_t size)
{
    if (text.data == NULL)
        return NULL;
    text = head_shown(text, size - 1);
    snprintf(out, size, "%.*s", (int)text.length, text.data);
    return out;
}

void head_tell(const struct head *head, const struct asker *asker, struct head_told *out)
{
    out->method = asker->method;
    out->path = asker->path;
    out->host = asker->host;
    if (head == NULL)
        return;
    if (out->method == NULL)
        out->method = copy_told(head->request.method, out->method_bytes, sizeof(out->method_bytes));
    if (out->path == NULL)
        out->path = copy_told(head->request.path, out->path_bytes, sizeof(out->path_bytes));
    if (out->host == NULL)
        out->host = copy_told(find_field(head, "host"), out->host_bytes, sizeof(out->host_bytes));
}

/* ---- What is wrong with it ---- */

/* The name of a header that occurs twice, of those that are read and may occur once. */
static struct span find_repeated(const struct head *head)
{
    static const char *const once[] = {
        "host",           "origin",         "authorization",          "upgrade",
        "content-length", "content-type",   "content-encoding",       "expect",
        "referer",        "sec-fetch-site", "sec-websocket-version",  "sec-websocket-key",
        "last-event-id",  "mcp-session-id", "sec-websocket-protocol", "mcp-protocol-version",
        "mcp-method",     "mcp-name",
    };
    struct span value;

    for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++) {
        if (!reason_allows(http_fields_single(&head->request.fields, once[i], &value)))
            return span_of(once[i]);
    }
    for (size_t i = 0; head->route != NULL && i < head->route->headers.count; i++) {
        const char *name = head->route->headers.items[i];

        if (!reason_allows(http_fields_single(&head->request.fields, name, &value)))
            return span_of(name);
    }
    return (struct span){NULL, 0};
}

struct span head_seen(const struct head *head, enum reason reason)
{
    static const struct {
        enum reason reason;
        const char *header;
    } rows[] = {
        {REASON_TYPE_OTHER, "content-type"},
        {REASON_TYPE_PARAMETER, "content-type"},
        {REASON_TYPE_CHARSET, "content-type"},
        {REASON_CONTENT_ENCODING, "content-encoding"},
        {REASON_EXPECT, "expect"},
        {REASON_UPGRADE_PROTOCOL, "upgrade"},
        {REASON_UPGRADE_CONNECTION, "connection"},
        {REASON_CONNECTION_NAMES, "connection"},
        {REASON_WEBSOCKET_VERSION, "sec-websocket-version"},
        {REASON_LENGTH_CODING, "transfer-encoding"},
        {REASON_LENGTH_NUMBER, "content-length"},
        {REASON_MCP_VERSION_MISMATCH, "mcp-protocol-version"},
        {REASON_MCP_METHOD_MISMATCH, "mcp-method"},
        {REASON_MCP_NAME_MISMATCH, "mcp-name"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].reason == reason)
            return find_field(head, rows[i].header);
    }
    if (reason_same(reason, REASON_QUERY_INVALID) && head->route != NULL)
        return span_of(admission_query_refused(head->route, head->asked.request.query));
    return reason == REASON_HEADER_DUPLICATE ? find_repeated(head) : (struct span){NULL, 0};
}

/* ---- A body of the gate's own ---- */

enum http_progress head_read_body(struct head *head, enum reason *reason)
{
    const struct http_request *request = &head->request;
    struct http_body body;
    size_t end;

    if (!own_path_is(head->path))
        return HTTP_COMPLETE;
    *reason = http_body_of_request(request, false, &body);
    if (!reason_allows(*reason))
        return HTTP_FAULT;
    if (body.kind != HTTP_BODY_LENGTH)
        return HTTP_COMPLETE;
    end = request->head_bytes + (size_t)body.left;
    if (body.left > OWN_PATH_BODY_BYTES_MAX || end >= HTTP_HEAD_BYTES_MAX) {
        *reason = REASON_BODY_TOO_LARGE;
        return HTTP_FAULT;
    }
    if (head->length < end)
        return HTTP_MORE;
    head->bytes[end] = '\0';
    head->body = head->bytes + request->head_bytes;
    *reason = REASON_BODY_NUL;
    return strlen(head->body) == body.left ? HTTP_COMPLETE : HTTP_FAULT;
}

/* ---- What it asks for ---- */

static bool is_websocket_key(struct span key)
{
    if (key.length != WS_KEY_SIZE - 1 || memcmp(key.data + key.length - 2, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < key.length - 2; i++) {
        char c = key.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '+' || c == '/'))
            return false;
    }
    return true;
}

/*
 * Whether the request has a body, and one whose length is beyond doubt. Chunked
 * ones are for routes that carry HTTP.
 */
static enum reason check_body(const struct head *head, bool *body)
{
    bool chunked = head->route != NULL && head->route->kind != ROUTE_WEBSOCKET;
    struct http_body framing = {0};
    enum reason reason = http_body_of_request(&head->request, chunked, &framing);

    *body = reason_allows(reason) && !framing.done;
    return framing.length > CONTENT_LENGTH_MAX ? REASON_LENGTH_NUMBER : reason;
}

/*
 * Whether it is the offer of HTTP/2 that some clients make with every request (RFC 7540 section
 * 3.2), which whoever does not take it ignores. Nothing of it is passed on.
 */
static bool is_h2c_offer(const struct http_request *request, struct span asked)
{
    struct span settings;

    return span_equals(asked, "h2c") &&
           reason_allows(http_fields_single(&request->fields, "http2-settings", &settings)) &&
           settings.length > 0 &&
           http_fields_have_token(&request->fields, "connection", "upgrade") &&
           http_fields_have_token(&request->fields, "connection", "http2-settings");
}

/* RFC 6455 section 4.2.1. *upgrade stays false for a request that asks for none. */
static enum reason check_upgrade(struct head *head, bool body, bool *upgrade)
{
    const struct http_request *request = &head->request;
    struct span asked, version, key;
    enum reason reason = http_fields_single(&request->fields, "upgrade", &asked);

    *upgrade = false;
    if (!reason_allows(reason) || asked.data == NULL || is_h2c_offer(request, asked))
        return reason;
    if (!span_equals_nocase(asked, "websocket"))
        return REASON_UPGRADE_PROTOCOL;
    if (!http_fields_have_token(&request->fields, "connection", "upgrade"))
        return REASON_UPGRADE_CONNECTION;
    reason = http_fields_single(&request->fields, "sec-websocket-version", &version);
    if (reason_allows(reason))
        reason = http_fields_single(&request->fields, "sec-websocket-key", &key);
    if (!reason_allows(reason))
        return reason;
    if (!span_equals(version, "13"))
        return REASON_WEBSOCKET_VERSION;
    /* A client may not speak WebSocket before it has its 101. */
    if (body || request->head_bytes != head->length)
        return REASON_UPGRADE_BODY;
    if (key.data == NULL || !is_websocket_key(key))
        return REASON_UPGRADE_KEY;
    memcpy(head->key, key.data, key.length);
    head->key[key.length] = '\0';
    *upgrade = true;
    return REASON_ALLOWED;
}

struct wanted_header {
    const char *name;
    const char **value;
};

/*
 * The login cookie's values, apart from the others, which go on to the service; and the page that
 * they come from, which no header must tell of a request without a cookie.
 */
static enum reason read_cookies(const struct connection *connection, struct head *head)
{
    struct request *asked = &head->asked.request;
    struct span referer;
    enum reason reason = login_cookie_find(connection->surface, &head->request, &head->cookies);

    if (!reason_allows(reason) || head->cookies.length == 0)
        return reason;
    asked->cookie = head->cookies.data;
    reason = http_fields_single(&head->request.fields, "referer", &referer);
    if (referer.length < REQUEST_HEADER_BYTES_MAX)
        asked->referer = head_terminate(head, referer);
    return reason;
}

static enum reason read_headers(const struct connection *connection, struct head *head)
{
    struct ipc_admit *admit = &head->asked;
    const struct wanted_header wanted[] = {
        {"host", &admit->request.host},
        {"origin", &admit->request.origin},
        {"authorization", &admit->request.authorization},
        {"sec-websocket-protocol", &admit->request.subprotocols},
        {"sec-fetch-site", &admit->request.fetch_site},
    };
    enum reason reason = read_cookies(connection, head);

    if (!reason_allows(reason))
        return reason;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        struct span value;

        reason = http_fields_single(&head->request.fields, wanted[i].name, &value);
        if (!reason_allows(reason))
            return reason;
        if (value.length >= REQUEST_HEADER_BYTES_MAX)
            return REASON_HEADER_LONG;
        *wanted[i].value = head_terminate(head, value);
    }
    return admit->request.host != NULL ? REASON_ALLOWED : REASON_HOST_MISSING;
}

/* The headers that the route forwards; the broker looks at its own copy of the list again. */
static enum reason read_route_headers(struct head *head)
{
    struct ipc_admit *admit = &head->asked;

    for (size_t i = 0; head->route != NULL && i < head->route->headers.count; i++) {
        const char *name = head->route->headers.items[i];
        struct span value;
        enum reason reason = http_fields_single(&head->request.fields, name, &value);

        if (!reason_allows(reason))
            return reason;
        if (value.data == NULL || admit->header_count == IPC_HEADERS_MAX)
            continue;
        admit->headers[admit->header_count++] =
            (struct ipc_header_pair){name, head_terminate(head, value)};
    }
    return REASON_ALLOWED;
}

/* Remembers the ticket's subprotocol: a browser must be answered with one it offered. */
static void keep_ticket_subprotocol(struct head *head, const char *subprotocols)
{
    struct span list = span_of(subprotocols), element;
    size_t prefix = sizeof(ADMISSION_TICKET_PREFIX) - 1;

    while (http_list_next(&list, &element)) {
        if (element.length > prefix && element.length < sizeof(head->ticket_subprotocol) &&
            memcmp(element.data, ADMISSION_TICKET_PREFIX, prefix) == 0)
            snprintf(head->ticket_subprotocol, sizeof(head->ticket_subprotocol), "%.*s",
                     (int)element.length, element.data);
    }
}

/* Whether a credential of ours may stand in a header that is not for it; login cookies of other
 * surfaces stand among cookies. */
static bool holds_stray(const struct http_field *field)
{
    struct stray stray = {0};

    if (span_equals_nocase(field->name, "authorization") ||
        span_equals_nocase(field->name, "sec-websocket-protocol"))
        return false;
    if (span_equals_nocase(field->name, "cookie") && token_find(field->value).data == NULL)
        return false;
    return stray_in(&stray, field->value, false);
}

static void find_strays(struct head *head)
{
    const struct http_fields *fields = &head->request.fields;

    for (size_t i = 0; i < fields->count; i++) {
        if (!holds_stray(&fields->list[i]))
            continue;
        buffer_append(&head->strays, fields->list[i].value.data, fields->list[i].value.length);
        buffer_append_text(&head->strays, " ");
    }
    if (head->strays.length > 0)
        head->asked.request.strays = head->strays.data;
}

/* The body before the upgrade, which may have none; an upgrade may have a route of its own. */
static enum reason read_kind(const struct connection *connection, struct head *head)
{
    bool *upgrade = &head->asked.request.upgrade, body;
    enum reason reason;

    head->route_fault = admission_route(connection->surface, head->path, false, &head->route);
    reason = check_body(head, &body);
    if (reason_allows(reason))
        reason = check_upgrade(head, body, upgrade);
    if (*upgrade)
        head->route_fault = admission_route(connection->surface, head->path, true, &head->route);
    return reason;
}

enum reason head_read(struct head *head, const struct connection *connection,
                      const struct asker *asker)
{
    const struct http_request *request = &head->request;
    struct ipc_admit *admit = &head->asked;
    enum reason reason;

    *admit = (struct ipc_admit){.connection = connection->id,
                                .surface = connection->surface_index,
                                .request_id = asker->request_id,
                                .request.certificate = connection->certificate,
                                .request.path = head->path,
                                .request.login_code = head->body};
    if (head->path[0] == '\0')
        return head->path_fault;
    if (request->query.length >= REQUEST_QUERY_BYTES_MAX)
        return REASON_QUERY_LONG;
    reason = read_kind(connection, head);
    if (reason_allows(reason))
        reason = read_headers(connection, head);
    if (reason_allows(reason))
        reason = read_route_headers(head);
    find_strays(head);
    keep_ticket_subprotocol(head, admit->request.subprotocols);
    admit->request.method = head_terminate(head, request->method);
    admit->request.raw_path = head_terminate(head, request->path);
    admit->request.query = head_terminate(head, request->query);
    return reason;
}
