/*
 * The little of HTTP/1.1 (RFC 9112) that the load generator and its service
 * need: the heads of messages whose bodies have a Content-Length. Both ends are
 * ours and the proxies between them are known, so anything unexpected is an
 * error, not a case.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum http_progress { HTTP_BAD = -1, HTTP_PARTIAL = 0, HTTP_WHOLE = 1 };

struct http_head {
    unsigned status;   /* of a response; 0: it is a request */
    size_t head_bytes; /* with the empty line that ends it */
    size_t body_bytes; /* Content-Length; 0 without one */
    bool chunked;      /* the body's length is not said beforehand */
};

/* Reads the head at the start of `bytes`; with HTTP_WHOLE, *head is set. */
enum http_progress http_read_head(const char *bytes, size_t length, struct http_head *head);

/*
 * The value of the first field of that name, without blanks before it, in a
 * whole head; it ends at *length. NULL: there is none.
 */
const char *http_field(const char *bytes, size_t head_bytes, const char *name, size_t *length);
