/*
 * The header fields of an HTTP/1.1 head and their values (RFC 9110 section 5, RFC
 * 9112 section 5), parsed as strictly as the grammar is written: CRLF only, no
 * folded lines, no space before a colon, no control byte. Requests and responses
 * share all of it.
 */
#pragma once

#include "base/reason.h"
#include "base/text.h"

#define HTTP_HEAD_BYTES_MAX 16384
#define HTTP_FIELDS_MAX     64

enum http_progress {
    HTTP_FAULT = 0, /* refuse, with *reason */
    HTTP_MORE,      /* not yet complete: call again with more bytes from the start */
    HTTP_COMPLETE,
};

/* Spans point into the parsed bytes. */
struct http_field {
    struct span name;  /* as sent; compare without case */
    struct span value; /* without surrounding white space */
};

struct http_fields {
    struct http_field list[HTTP_FIELDS_MAX];
    size_t count;
};

/*
 * Finds the CRLF that ends the line at `start`. REASON_CONTROL_BYTE for any but a
 * tab inside the line, REASON_LINE_END for a CR or LF that is not part of a CRLF.
 */
enum http_progress http_line_find(const char *bytes, size_t length, size_t start, size_t *end,
                                  enum reason *reason);

/* Splits the header lines from `at` on; *end is behind the empty line. */
enum http_progress http_fields_parse(const char *bytes, size_t length, size_t at,
                                     struct http_fields *out, size_t *end, enum reason *reason);

/*
 * The value of a header that may occur once. REASON_ALLOWED with an absent span
 * if it does not occur; REASON_HEADER_DUPLICATE if it occurs twice.
 */
enum reason http_fields_single(const struct http_fields *fields, const char *name,
                               struct span *value);

/* Whether any occurrence of a comma-separated header holds a token, without case. */
bool http_fields_have_token(const struct http_fields *fields, const char *name, const char *token);

/* Takes the next element off a comma-separated list (RFC 9110 section 5.6.1); false at the end. */
bool http_list_next(struct span *list, struct span *element);

/* Whether it may be a field's value (RFC 9110 section 5.5): no control byte but a tab, no white
 * space around it. */
bool http_is_value(struct span value);

/* Whether every byte is a tchar (RFC 9110 section 5.6.2) and there is at least one. */
bool http_is_token(struct span span);

/*
 * Whether the value of a Content-Type is this media type, in any case and with
 * any parameters (RFC 9110 section 8.3); an absent one is none.
 */
bool http_media_type_is(struct span content_type, const char *type);
/*
 * Whether a body of this Content-Type may be read as UTF-8 JSON: application/json with any
 * well-formed parameters, none of them another charset. REASON_TYPE_... says what it is instead.
 */
enum reason http_media_type_json(struct span content_type);
