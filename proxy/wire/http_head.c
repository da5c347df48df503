#include "wire/http_head.h"

#include <string.h>

#define VERSION    "HTTP/1." /* and 0 or 1 */
#define TLS_RECORD 0x16      /* a handshake's first byte (RFC 8446 section 5.1) */

static enum http_progress fault(enum reason *reason, enum reason why)
{
    *reason = why;
    return HTTP_FAULT;
}

bool http_is_target(struct span target)
{
    bool ascii = true;

    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.data[i];

        if (c <= 0x20 || c == 0x7f || c == '#')
            return false;
        ascii = ascii && c < 0x80;
    }
    return ascii || utf8_valid(target.data, target.length);
}

/* Origin-form (RFC 9112 section 3.2.1). */
static bool is_origin_form(struct span target)
{
    return http_is_target(target) && target.length > 0 && target.data[0] == '/';
}

static void split_target(struct span target, struct http_request *out)
{
    const char *question = memchr(target.data, '?', target.length);

    out->path = target;
    out->query = (struct span){NULL, 0};
    if (question != NULL) {
        out->path.length = (size_t)(question - target.data);
        out->query = (struct span){question + 1, target.length - out->path.length - 1};
    }
}

/* Why a target is none. */
static enum reason target_cause(struct span target)
{
    if (!http_is_target(target))
        return REASON_TARGET_SIGN;
    return memmem(target.data, target.length, "://", 3) != NULL ? REASON_TARGET_URL
                                                                : REASON_TARGET_FORM;
}

/* What was spoken instead of HTTP/1.1. */
static enum reason version_cause(struct span version)
{
    if (version.length != 8 || memcmp(version.data, "HTTP/", 5) != 0)
        return REASON_REQUEST_LINE;
    if (span_equals(version, "HTTP/1.0"))
        return REASON_HTTP_1_0;
    return version.data[5] == '2' ? REASON_HTTP_2 : REASON_HTTP_VERSION;
}

/* METHOD SP origin-form SP HTTP/1.1 (RFC 9112 section 3). */
static enum http_progress parse_request_line(struct span line, struct http_request *out,
                                             enum reason *reason)
{
    const char *first = memchr(line.data, ' ', line.length);
    const char *last = memrchr(line.data, ' ', line.length);
    struct span target, version;

    if (first == NULL || last == first)
        return fault(reason, REASON_REQUEST_LINE);
    out->method = (struct span){line.data, (size_t)(first - line.data)};
    target = (struct span){first + 1, (size_t)(last - first - 1)};
    version = (struct span){last + 1, (size_t)(line.data + line.length - last - 1)};
    if (!http_is_token(out->method))
        return fault(reason, REASON_REQUEST_LINE);
    if (!span_equals(version, "HTTP/1.1"))
        return fault(reason, version_cause(version));
    if (!is_origin_form(target))
        return fault(reason, target_cause(target));
    split_target(target, out);
    return HTTP_COMPLETE;
}

enum http_progress http_request_parse(const char *bytes, size_t length, struct http_request *out,
                                      enum reason *reason)
{
    size_t limit = length < HTTP_HEAD_BYTES_MAX ? length : HTTP_HEAD_BYTES_MAX;
    size_t stop;
    enum http_progress progress;

    out->method = out->path = out->query = (struct span){NULL, 0};
    out->fields.count = 0;
    /* What cannot begin a method is not HTTP: no need to wait for a whole line. */
    if (length > 0 && !http_is_token((struct span){bytes, 1}))
        return fault(reason, bytes[0] == TLS_RECORD ? REASON_NOT_HTTP_BUT_TLS : REASON_NOT_HTTP);
    progress = http_line_find(bytes, limit, 0, &stop, reason);
    if (progress == HTTP_COMPLETE)
        progress = parse_request_line((struct span){bytes, stop}, out, reason);
    if (progress == HTTP_COMPLETE)
        progress =
            http_fields_parse(bytes, limit, stop + 2, &out->fields, &out->head_bytes, reason);
    if (progress == HTTP_MORE && length >= HTTP_HEAD_BYTES_MAX)
        return fault(reason, REASON_HEADERS_TOO_LARGE);
    return progress;
}

/* ---- Responses ---- */

/* HTTP/1.x SP 3DIGIT SP [reason-phrase] (RFC 9112 section 4). */
static bool parse_status_line(const char *line, size_t length, struct http_response *out)
{
    if (length < 12 || memcmp(line, VERSION, sizeof(VERSION) - 1) != 0 ||
        (line[7] != '0' && line[7] != '1') || line[8] != ' ' || (length > 12 && line[12] != ' '))
        return false;
    out->http_1_0 = line[7] == '0';
    out->status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return false;
        out->status = out->status * 10 + (unsigned)(line[i] - '0');
    }
    out->phrase = (struct span){line + length, 0};
    if (length > 13)
        out->phrase = (struct span){line + 13, length - 13};
    return out->status >= 100 && out->status <= 599;
}

enum http_progress http_response_parse(const char *bytes, size_t length, struct http_response *out)
{
    size_t limit = length < HTTP_HEAD_BYTES_MAX ? length : HTTP_HEAD_BYTES_MAX;
    size_t known = length < sizeof(VERSION) - 1 ? length : sizeof(VERSION) - 1, stop;
    enum http_progress progress;
    enum reason reason;

    /* What cannot become a status line is not waited for: HTTP/0.9 has none. */
    if (known > 0 && memcmp(bytes, VERSION, known) != 0)
        return HTTP_FAULT;
    progress = http_line_find(bytes, limit, 0, &stop, &reason);
    if (progress == HTTP_COMPLETE) {
        if (!parse_status_line(bytes, stop, out))
            return HTTP_FAULT;
        progress =
            http_fields_parse(bytes, limit, stop + 2, &out->fields, &out->head_bytes, &reason);
    }
    return progress == HTTP_MORE && length >= HTTP_HEAD_BYTES_MAX ? HTTP_FAULT : progress;
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
