/*
 * HTTP/1.1 responses of the service behind: their head, parsed strictly (RFC
 * 9112). What Sidelock itself answers is in http_denial.h and page.h.
 */
#pragma once

#include "wire/http_fields.h"

/* Spans point into the parsed bytes. */
struct http_response {
    unsigned status;
    struct span phrase; /* may be empty */
    bool http_1_0;
    struct http_fields fields;
    size_t head_bytes;
};

/* As http_request_parse; a fault is always REASON_UPSTREAM_PROTOCOL. */
enum http_progress http_response_parse(const char *bytes, size_t length, struct http_response *out);

/* The standard phrase of a status (RFC 9110 section 15), or "Unknown". */
const char *http_status_phrase(unsigned status);
