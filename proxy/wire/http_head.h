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
 * Whether every byte may stand in a request's target unencoded: what RFC 9112 section 3.2
 * permits, and what browsers and others leave as it is though they should not ('{', '|', '"',
 * UTF-8), for no reader takes it for the end of something.
 */
bool http_is_target(struct span target);

/*
 * Parses `length` bytes from the start of a request. Faults: causes of MALFORMED,
 * HTTP_VERSION, HEADERS_TOO_LARGE; what was read before the fault is then in *out.
 */
enum http_progress http_request_parse(const char *bytes, size_t length, struct http_request *out,
                                      enum reason *reason);

/*
 * ---- Responses ----
 *
 * Those of the service behind: their head, parsed strictly (RFC 9112). What
 * Sidelock itself answers is in http_denial.h and page.h.
 */

/* Spans point into the parsed bytes. */
struct http_response {
    unsigned status;
    struct span phrase; /* may be empty */
    bool http_1_0;
    struct http_fields fields;
    size_t head_bytes;
};

/* As http_request_parse; a fault is always REASON_ANSWER_HEAD. */
enum http_progress http_response_parse(const char *bytes, size_t length, struct http_response *out);

/* The standard phrase of a status (RFC 9110 section 15), or "Unknown". */
const char *http_status_phrase(unsigned status);
