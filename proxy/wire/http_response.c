#include "wire/http_response.h"

#include <string.h>

static enum http_progress fault(enum reason *reason)
{
    *reason = REASON_UPSTREAM_PROTOCOL;
    return HTTP_FAULT;
}

/* HTTP/1.x SP 3DIGIT SP [reason-phrase] (RFC 9112 section 4). */
static bool parse_status_line(const char *line, size_t length, struct http_response *out)
{
    if (length < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
        line[8] != ' ' || (length > 12 && line[12] != ' '))
        return false;
    out->http_1_0 = line[7] == '0';
    out->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        out->status = out->status * 10 + (unsigned)(line[i] - '0');
    }
    for (size_t i = 12; i < length; i++) {
        unsigned char c = (unsigned char)line[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return out->status >= 100 && out->status <= 599;
}

enum http_progress http_response_parse(const char *bytes, size_t length, struct http_response *out,
                                       enum reason *reason)
{
    size_t limit = length < HTTP_HEAD_BYTES_MAX ? length : HTTP_HEAD_BYTES_MAX;
    const char *stop = memmem(bytes, limit, "\r\n", 2);
    enum http_progress progress = HTTP_MORE;

    if (stop != NULL) {
        if (!parse_status_line(bytes, (size_t)(stop - bytes), out))
            return fault(reason);
        progress = http_fields_parse(bytes, limit, (size_t)(stop - bytes) + 2, out->fields,
                                     &out->field_count, &out->head_bytes, reason);
    }
    if (progress == HTTP_FAULT || (progress == HTTP_MORE && length >= HTTP_HEAD_BYTES_MAX))
        return fault(reason);
    return progress;
}

/* Requests and responses hold their fields alike. */
static void as_request(const struct http_response *response, struct http_request *out)
{
    memcpy(out->fields, response->fields, response->field_count * sizeof(response->fields[0]));
    out->field_count = response->field_count;
}

enum reason http_response_single(const struct http_response *response, const char *name,
                                 struct span *value)
{
    struct http_request fields;

    as_request(response, &fields);
    return http_request_single(&fields, name, value);
}

bool http_response_has_token(const struct http_response *response, const char *name,
                             const char *token)
{
    struct http_request fields;

    as_request(response, &fields);
    return http_request_has_token(&fields, name, token);
}

static const char *status_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {426, "Upgrade Required"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Refused";
}

/* Headers that a status calls for (RFC 9110 sections 11.6.1, 10.2.1, 7.8; RFC 6455 section 4.4). */
static const char *status_headers(enum reason reason, unsigned status)
{
    switch (status) {
    case 401:
        return "WWW-Authenticate: Bearer realm=\"sidelock\"\r\n";
    case 405:
        return "Allow: GET\r\n";
    case 426:
        return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    default:
        return reason == REASON_CAPACITY ? "Retry-After: 1\r\n" : "";
    }
}

void http_denial_write(const struct http_denial *denial, struct buffer *out)
{
    const struct reason_info *info = reason_info(denial->reason);
    unsigned status = info->http_status != 0 ? info->http_status : 500;
    struct buffer body;

    buffer_init(&body, HTTP_HEAD_BYTES_MAX);
    buffer_append_format(&body, "{\"status\":%u,\"reason\":\"%s\",\"detail\":", status, info->code);
    buffer_append_json_string(&body, info->text, strlen(info->text));
    buffer_append_text(&body, ",\"request_id\":");
    buffer_append_json_string(&body, denial->request_id, strlen(denial->request_id));
    buffer_append_text(&body, "}\n");

    buffer_append_format(out, "HTTP/1.1 %u %s\r\n", status, status_phrase(status));
    buffer_append_text(out, status_headers(denial->reason, status));
    buffer_append_format(out,
                         "Content-Type: application/problem+json\r\n"
                         "Content-Length: %zu\r\n"
                         "Cache-Control: no-store\r\n"
                         "X-Content-Type-Options: nosniff\r\n"
                         "Connection: %s\r\n\r\n",
                         body.length, status == 426 ? "Upgrade, close" : "close");
    if (!denial->head_only && !buffer_failed(&body))
        buffer_append(out, body.data, body.length);
    if (buffer_failed(&body))
        out->failed = true;
    buffer_clear(&body);
}
