/*
 * Parses the head of an HTTP/1.1 request (RFC 9112) as strictly as the grammar
 * is written: CRLF only, no folded lines, no space before a colon, no NUL, one
 * space between the parts of the request line, origin-form targets only. What
 * another parser might read differently is refused, so that it never matters.
 */
#ifndef SIDELOCK_WIRE_HTTP_REQUEST_H
#define SIDELOCK_WIRE_HTTP_REQUEST_H

#include "base/reason.h"
#include "base/text.h"

#define HTTP_HEAD_BYTES_MAX 16384
#define HTTP_FIELDS_MAX     64

/* What the parts of a request may measure. */
#define REQUEST_PATH_BYTES_MAX   1024
#define REQUEST_QUERY_BYTES_MAX  8192
#define REQUEST_HEADER_BYTES_MAX 4096 /* any one header's value */
#define REQUEST_METHOD_BYTES_MAX 32
#define REQUEST_HEADERS_MAX      16 /* headers a route may name for forwarding */

struct http_field {
    struct span name;  /* as sent; compare without case */
    struct span value; /* without surrounding white space */
};

/* Spans point into the parsed bytes. */
struct http_request {
    struct span method;
    struct span path;  /* raw, begins with '/' */
    struct span query; /* raw, without '?'; absent if there is none */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t field_count;
    size_t head_bytes; /* with the empty line */
};

enum http_progress {
    HTTP_FAULT = 0, /* refuse, with *reason */
    HTTP_MORE,      /* not yet complete: call again with more bytes from the start */
    HTTP_COMPLETE,
};

/*
 * Parses `length` bytes from the start of a request. Faults: MALFORMED,
 * HTTP_VERSION, HEADERS_TOO_LARGE.
 */
enum http_progress http_request_parse(const char *bytes, size_t length, struct http_request *out,
                                      enum reason *reason);

/*
 * The value of a header that may occur once. REASON_ALLOWED with an absent span
 * if it does not occur; REASON_HEADER_DUPLICATE if it occurs twice.
 */
enum reason http_request_single(const struct http_request *request, const char *name,
                                struct span *value);

/* Whether any occurrence of a comma-separated header holds a token, without case. */
bool http_request_has_token(const struct http_request *request, const char *name,
                            const char *token);

/* Takes the next element off a comma-separated list (RFC 9110 section 5.6.1); false at the end. */
bool http_list_next(struct span *list, struct span *element);

/* Whether every byte is a tchar (RFC 9110 section 5.6.2) and there is at least one. */
bool http_is_token(struct span span);

/* Splits header lines after a start line; shared with http_response.c. */
enum http_progress http_fields_parse(const char *bytes, size_t length, size_t at,
                                     struct http_field *fields, size_t *count, size_t *end,
                                     enum reason *reason);

#endif
