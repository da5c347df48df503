#include "wire/http_request.h"

#include <string.h>

static enum http_progress fault(enum reason *reason, enum reason why)
{
    *reason = why;
    return HTTP_FAULT;
}

/* Origin-form (RFC 9112 section 3.2.1), of bytes that may stand in a URL unencoded. */
static bool is_origin_form(struct span target)
{
    for (size_t i = 0; i < target.length; i++) {
        unsigned char c = (unsigned char)target.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("#\"<>\\^`{|}", c) != NULL)
            return false;
    }
    return target.length > 0 && target.data[0] == '/';
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

/* METHOD SP origin-form SP HTTP/1.1 (RFC 9112 section 3). */
static enum http_progress parse_request_line(struct span line, struct http_request *out,
                                             enum reason *reason)
{
    const char *first = memchr(line.data, ' ', line.length);
    const char *last = memrchr(line.data, ' ', line.length);
    struct span target, version;

    if (first == NULL || last == first)
        return fault(reason, REASON_MALFORMED);
    out->method = (struct span){line.data, (size_t)(first - line.data)};
    target = (struct span){first + 1, (size_t)(last - first - 1)};
    version = (struct span){last + 1, (size_t)(line.data + line.length - last - 1)};
    if (!http_is_token(out->method) || !is_origin_form(target))
        return fault(reason, REASON_MALFORMED);
    if (!span_equals(version, "HTTP/1.1")) {
        bool http = version.length == 8 && memcmp(version.data, "HTTP/", 5) == 0;

        return fault(reason, http ? REASON_HTTP_VERSION : REASON_MALFORMED);
    }
    split_target(target, out);
    return HTTP_COMPLETE;
}

enum http_progress http_request_parse(const char *bytes, size_t length, struct http_request *out,
                                      enum reason *reason)
{
    size_t limit = length < HTTP_HEAD_BYTES_MAX ? length : HTTP_HEAD_BYTES_MAX;
    size_t stop;
    enum http_progress progress;

    /* What cannot begin a method is not HTTP: no need to wait for a whole line. */
    if (length > 0 && !http_is_token((struct span){bytes, 1}))
        return fault(reason, REASON_MALFORMED);
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
