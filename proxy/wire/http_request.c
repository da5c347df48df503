#include "wire/http_request.h"

#include <string.h>
#include <strings.h>

static bool is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http_is_token(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        if (!is_tchar((unsigned char)span.data[i]))
            return false;
    }
    return span.data != NULL && span.length > 0;
}

static enum http_progress fault(enum reason *reason, enum reason why)
{
    *reason = why;
    return HTTP_FAULT;
}

/*
 * Finds the CRLF that ends the line at `start`. Any control byte other than a
 * tab inside the line, and a CR or LF that is not part of a CRLF, is a fault.
 */
static enum http_progress find_line(const char *bytes, size_t length, size_t start, size_t *end,
                                    enum reason *reason)
{
    for (size_t i = start; i < length; i++) {
        unsigned char c = (unsigned char)bytes[i];

        if (c == '\r') {
            if (i + 1 == length)
                return HTTP_MORE;
            if (bytes[i + 1] != '\n')
                return fault(reason, REASON_MALFORMED);
            *end = i;
            return HTTP_COMPLETE;
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return fault(reason, REASON_MALFORMED);
    }
    return HTTP_MORE;
}

static struct span trim(struct span span)
{
    while (span.length > 0 && (span.data[0] == ' ' || span.data[0] == '\t')) {
        span.data++;
        span.length--;
    }
    while (span.length > 0 &&
           (span.data[span.length - 1] == ' ' || span.data[span.length - 1] == '\t'))
        span.length--;
    return span;
}

enum http_progress http_fields_parse(const char *bytes, size_t length, size_t at,
                                     struct http_field *fields, size_t *count, size_t *end,
                                     enum reason *reason)
{
    for (*count = 0;; (*count)++) {
        struct span line, name;
        const char *colon;
        size_t stop;
        enum http_progress progress = find_line(bytes, length, at, &stop, reason);

        if (progress != HTTP_COMPLETE)
            return progress;
        if (stop == at) {
            *end = stop + 2;
            return HTTP_COMPLETE;
        }
        if (*count == HTTP_FIELDS_MAX)
            return fault(reason, REASON_HEADERS_TOO_LARGE);
        line = (struct span){bytes + at, stop - at};
        colon = memchr(line.data, ':', line.length);
        if (colon == NULL)
            return fault(reason, REASON_MALFORMED);
        /* A folded line or a space before the colon shows here: neither is a token. */
        name = (struct span){line.data, (size_t)(colon - line.data)};
        if (!http_is_token(name))
            return fault(reason, REASON_MALFORMED);
        fields[*count].name = name;
        fields[*count].value = trim((struct span){colon + 1, line.length - name.length - 1});
        at = stop + 2;
    }
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
    if (length > 0 && !is_tchar((unsigned char)bytes[0]))
        return fault(reason, REASON_MALFORMED);
    progress = find_line(bytes, limit, 0, &stop, reason);
    if (progress == HTTP_COMPLETE)
        progress = parse_request_line((struct span){bytes, stop}, out, reason);
    if (progress == HTTP_COMPLETE)
        progress = http_fields_parse(bytes, limit, stop + 2, out->fields, &out->field_count,
                                     &out->head_bytes, reason);
    if (progress == HTTP_MORE && length >= HTTP_HEAD_BYTES_MAX)
        return fault(reason, REASON_HEADERS_TOO_LARGE);
    return progress;
}

enum reason http_request_single(const struct http_request *request, const char *name,
                                struct span *value)
{
    *value = (struct span){NULL, 0};
    for (size_t i = 0; i < request->field_count; i++) {
        if (!span_equals_nocase(request->fields[i].name, name))
            continue;
        if (value->data != NULL)
            return REASON_HEADER_DUPLICATE;
        *value = request->fields[i].value;
    }
    return REASON_ALLOWED;
}

bool http_list_next(struct span *list, struct span *element)
{
    while (list->length > 0) {
        const char *comma = memchr(list->data, ',', list->length);
        size_t length = comma != NULL ? (size_t)(comma - list->data) : list->length;
        size_t taken = comma != NULL ? length + 1 : length;

        *element = trim((struct span){list->data, length});
        list->data += taken;
        list->length -= taken;
        if (element->length > 0)
            return true;
    }
    return false;
}

bool http_request_has_token(const struct http_request *request, const char *name, const char *token)
{
    for (size_t i = 0; i < request->field_count; i++) {
        struct span list = request->fields[i].value, element;

        if (!span_equals_nocase(request->fields[i].name, name))
            continue;
        while (http_list_next(&list, &element)) {
            if (span_equals_nocase(element, token))
                return true;
        }
    }
    return false;
}
