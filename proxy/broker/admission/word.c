#include "broker/admission/word.h"

#include "wire/http_forward.h"
#include "wire/url.h"

#include <string.h>

#define FIELDS_BYTES_MAX (4 * HTTP_HEAD_BYTES_MAX)

static bool is_hex(const char *text, size_t length)
{
    return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static bool is_request_id(const char *text)
{
    return is_hex(text, IPC_REQUEST_ID_SIZE - 1);
}

bool word_is_session(const char *id)
{
    return is_hex(id, IPC_SESSION_ID_SIZE - 1);
}

/* As a head has it. */
static bool is_path(const char *path)
{
    char decoded[REQUEST_PATH_BYTES_MAX];

    return http_is_target(span_of(path)) &&
           reason_allows(url_path_decode(span_of(path), decoded, sizeof(decoded)));
}

static bool is_query(const char *query)
{
    return query == NULL ||
           (strlen(query) < REQUEST_QUERY_BYTES_MAX && http_is_target(span_of(query)));
}

static bool is_value(const char *value)
{
    return value == NULL || http_is_value(span_of(value));
}

static bool is_short_value(const char *value)
{
    return is_value(value) && (value == NULL || strlen(value) < REQUEST_HEADER_BYTES_MAX);
}

/* Each name once, as a head is read. */
static bool are_headers(const struct ipc_header_pair *headers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!http_is_token(span_of(headers[i].name)) || !is_value(headers[i].value))
            return false;
        for (uint32_t j = 0; j < i; j++) {
            if (strcasecmp(headers[i].name, headers[j].name) == 0)
                return false;
        }
    }
    return true;
}

bool word_is_request(const struct ipc_admit *admit)
{
    const struct request *request = &admit->request;

    return is_request_id(admit->request_id) && http_is_token(span_of(request->method)) &&
           is_path(request->raw_path) && is_query(request->query) &&
           is_short_value(request->host) && is_short_value(request->origin) &&
           is_short_value(request->authorization) && is_short_value(request->subprotocols) &&
           is_short_value(request->fetch_site) && is_value(request->cookie) &&
           are_headers(admit->headers, admit->header_count);
}

/* A body follows; a length of 0 is said by clients that have none. */
static bool has_body(const struct ipc_dial *dial)
{
    return dial->body == HTTP_BODY_CHUNKED ||
           (dial->body == HTTP_BODY_LENGTH && dial->body_bytes > 0);
}

bool word_is_dial(const struct ipc_dial *dial)
{
    bool bodiless = strcmp(dial->method, "GET") == 0 || strcmp(dial->method, "HEAD") == 0;

    if ((bodiless && has_body(dial)) || (dial->fields == NULL && dial->body != HTTP_BODY_NONE))
        return false;
    return is_request_id(dial->request_id) && http_is_token(span_of(dial->method)) &&
           is_path(dial->path) && is_query(dial->query) && is_short_value(dial->host);
}

bool word_is_fields(const struct route *route, const char *host, const char *fields)
{
    const struct http_body none = {.done = true};
    const struct http_forward_request_options options = {
        .host = host,
        .host_public = route->host.kind == HOST_UPSTREAM_PUBLIC,
        .readmit = &route->headers,
        .body = &none,
    };
    struct http_request request = {0};
    struct buffer head, again;
    enum reason reason;
    size_t end;
    bool same;

    if (fields[0] == '\0')
        return true;
    buffer_init(&head, FIELDS_BYTES_MAX);
    buffer_init(&again, FIELDS_BYTES_MAX);
    buffer_append_format(&head, "%s\r\n", fields);
    same = !buffer_failed(&head) &&
           http_fields_parse(head.data, head.length, 0, &request.fields, &end, &reason) ==
               HTTP_COMPLETE &&
           end == head.length && reason_allows(http_forward_request(&options, &request, &again)) &&
           !buffer_failed(&again) && span_equals((struct span){again.data, again.length}, fields);
    buffer_wipe(&head);
    buffer_wipe(&again);
    return same;
}
