#include "wire/http_fields.h"

#include <string.h>

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

/* But a tab. */
static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

bool http_is_value(struct span value)
{
    struct span trimmed = span_trim(value);

    for (size_t i = 0; i < value.length; i++) {
        if (is_control((unsigned char)value.data[i]))
            return false;
    }
    return trimmed.length == value.length;
}

static enum http_progress fault(enum reason *reason, enum reason why)
{
    *reason = why;
    return HTTP_FAULT;
}

enum http_progress http_line_find(const char *bytes, size_t length, size_t start, size_t *end,
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
        if (is_control(c))
            return fault(reason, REASON_MALFORMED);
    }
    return HTTP_MORE;
}

enum http_progress http_fields_parse(const char *bytes, size_t length, size_t at,
                                     struct http_fields *out, size_t *end, enum reason *reason)
{
    for (out->count = 0;; out->count++) {
        struct span line, name;
        const char *colon;
        size_t stop;
        enum http_progress progress = http_line_find(bytes, length, at, &stop, reason);

        if (progress != HTTP_COMPLETE)
            return progress;
        if (stop == at) {
            *end = stop + 2;
            return HTTP_COMPLETE;
        }
        if (out->count == HTTP_FIELDS_MAX)
            return fault(reason, REASON_HEADERS_TOO_LARGE);
        line = (struct span){bytes + at, stop - at};
        colon = memchr(line.data, ':', line.length);
        if (colon == NULL)
            return fault(reason, REASON_MALFORMED);
        /* A folded line or a space before the colon shows here: neither is a token. */
        name = (struct span){line.data, (size_t)(colon - line.data)};
        if (!http_is_token(name))
            return fault(reason, REASON_MALFORMED);
        out->list[out->count] = (struct http_field){
            name, span_trim((struct span){colon + 1, line.length - name.length - 1})};
        at = stop + 2;
    }
}

enum reason http_fields_single(const struct http_fields *fields, const char *name,
                               struct span *value)
{
    *value = (struct span){NULL, 0};
    for (size_t i = 0; i < fields->count; i++) {
        if (!span_equals_nocase(fields->list[i].name, name))
            continue;
        if (value->data != NULL)
            return REASON_HEADER_DUPLICATE;
        *value = fields->list[i].value;
    }
    return REASON_ALLOWED;
}

bool http_list_next(struct span *list, struct span *element)
{
    while (list->length > 0) {
        *element = span_trim(span_split(list, ','));
        if (element->length > 0)
            return true;
    }
    return false;
}

bool http_fields_have_token(const struct http_fields *fields, const char *name, const char *token)
{
    for (size_t i = 0; i < fields->count; i++) {
        struct span list = fields->list[i].value, element;

        if (!span_equals_nocase(fields->list[i].name, name))
            continue;
        while (http_list_next(&list, &element)) {
            if (span_equals_nocase(element, token))
                return true;
        }
    }
    return false;
}

bool http_media_type_is(struct span content_type, const char *type)
{
    return span_equals_nocase(span_trim(span_split(&content_type, ';')), type);
}

bool http_media_type_is_json(struct span content_type)
{
    struct span type = span_trim(span_split(&content_type, ';'));
    struct span parameter = span_trim(content_type);

    return span_equals_nocase(type, "application/json") &&
           (content_type.data == NULL || span_equals_nocase(parameter, "charset=utf-8") ||
            span_equals_nocase(parameter, "charset=\"utf-8\""));
}
