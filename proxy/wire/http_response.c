#include "wire/http_response.h"

#include <string.h>

static enum http_progress fault(enum reason *reason)
{
    *reason = REASON_UPSTREAM_PROTOCOL;
    return HTTP_FAULT;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

/* What cannot become a status line is not waited for: HTTP/0.9 has none, others end it with LF. */
static bool may_begin(const char *bytes, size_t length)
{
    static const char start[] = "HTTP/1.";
    size_t known = length < sizeof(start) - 1 ? length : sizeof(start) - 1;

    if (known > 0 && memcmp(bytes, start, known) != 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (is_control(bytes[i]) && (bytes[i] != '\r' || i + 1 < length))
            return false;
    }
    return true;
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
        if (is_control(line[i]))
            return false;
    }
    out->phrase = (struct span){line + length, 0};
    if (length > 13)
        out->phrase = (struct span){line + 13, length - 13};
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
    } else if (!may_begin(bytes, limit)) {
        progress = HTTP_FAULT;
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

const char *http_status_phrase(unsigned status)
{
    static const struct {
        unsigned status;
        const char *phrase;
    } phrases[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (phrases[i].status == status)
            return phrases[i].phrase;
    }
    return "Unknown";
}
