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
                return fault(reason, REASON_LINE_END);
            *end = i;
            return HTTP_COMPLETE;
        }
        if (is_control(c))
            return fault(reason, c == '\n' ? REASON_LINE_END : REASON_CONTROL_BYTE);
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
            return fault(reason, REASON_HEADERS_MANY);
        line = (struct span){bytes + at, stop - at};
        colon = memchr(line.data, ':', line.length);
        if (line.data[0] == ' ' || line.data[0] == '\t')
            return fault(reason, REASON_HEADER_FOLDED);
        if (colon == NULL)
            return fault(reason, REASON_HEADER_NAME);
        /* A space before the colon shows here: it is in no token. */
        name = (struct span){line.data, (size_t)(colon - line.data)};
        if (!http_is_token(name))
            return fault(reason, REASON_HEADER_NAME);
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

/* How many bytes at the start are of a token. */
static size_t token_run(struct span text)
{
    size_t length = 0;

    while (length < text.length && is_tchar((unsigned char)text.data[length]))
        length++;
    return length;
}

/* What is behind the first bytes, and the white space that follows them. */
static struct span rest_behind(struct span text, size_t length)
{
    return span_trim((struct span){text.data + length, text.length - length});
}

/* The bytes of a quoted string at the start, with its quotes (RFC 9110 section 5.6.4); 0: none. */
static size_t quoted_run(struct span text)
{
    for (size_t i = 1; text.length > 0 && text.data[0] == '"' && i < text.length; i++) {
        if (text.data[i] == '"')
            return i + 1;
        i += text.data[i] == '\\';
    }
    return 0;
}

/*
 * Takes ";" and what follows it off a list of parameters (RFC 9110 section 5.6.6): nothing, or
 * a name and its value, without quotes. False if it is none.
 */
static bool take_parameter(struct span *list, struct span *name, struct span *value)
{
    size_t length;

    if (list->data[0] != ';')
        return false;
    *list = rest_behind(*list, 1);
    *value = (struct span){NULL, 0};
    *name = (struct span){list->data, token_run(*list)};
    if (name->length == 0)
        return list->length == 0 || list->data[0] == ';';
    if (list->length == name->length || list->data[name->length] != '=')
        return false;
    *value = (struct span){name->data + name->length + 1, list->length - name->length - 1};
    length = token_run(*value);
    value->length = length > 0 ? length : quoted_run(*value);
    *list = rest_behind(*list, name->length + 1 + value->length);
    if (length == 0 && value->length > 0)
        *value = (struct span){value->data + 1, value->length - 2};
    else if (length == 0)
        return false;
    return list->length == 0 || list->data[0] == ';';
}

enum reason http_media_type_json(struct span content_type)
{
    struct span list = content_type, name, value;

    if (content_type.data == NULL)
        return REASON_TYPE_MISSING;
    if (!http_media_type_is(content_type, "application/json"))
        return REASON_TYPE_OTHER;
    span_split(&list, ';');
    if (list.data == NULL)
        return REASON_ALLOWED;
    /* From the semicolon on. */
    for (list = (struct span){list.data - 1, list.length + 1}; list.length > 0;) {
        if (!take_parameter(&list, &name, &value))
            return REASON_TYPE_PARAMETER;
        if (span_equals_nocase(name, "charset") && !span_equals_nocase(value, "utf-8") &&
            !span_equals_nocase(value, "utf8"))
            return REASON_TYPE_CHARSET;
    }
    return REASON_ALLOWED;
}
