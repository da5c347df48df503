/*
 * Parses the head of an HTTP/1.1 request (RFC 9112) as strictly as the grammar
 * is written: CRLF only, no folded lines, no space before a colon, no NUL, one
 * space between the parts of the request line, origin-form targets only. What
 * another parser might read differently is refused, so that it never matters.
 */
#pragma once

#include "wire/http_fields.h"

/* What the parts of a request may measure. */
#define REQUEST_PATH_BYTES_MAX   1024
#define REQUEST_QUERY_BYTES_MAX  8192
#define REQUEST_HEADER_BYTES_MAX 4096 /* any one header's value */
#define REQUEST_METHOD_BYTES_MAX 32
#define REQUEST_HEADERS_MAX      16 /* headers a route may name for forwarding */

/* Spans point into the parsed bytes. */
struct http_request {
    struct span method;
    struct span path;  /* raw, begins with '/' */
    struct span query; /* raw, without '?'; absent if there is none */
    struct http_fields fields;
    size_t head_bytes; /* with the empty line */
};

/*
 * Parses `length` bytes from the start of a request. Faults: MALFORMED,
 * HTTP_VERSION, HEADERS_TOO_LARGE.
 */
enum http_progress http_request_parse(const char *bytes, size_t length, struct http_request *out,
                                      enum reason *reason);
