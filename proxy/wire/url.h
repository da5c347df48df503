/*
 * Paths and queries of URLs (RFC 3986): one canonical form in, one encoding
 * out. A path that could be read in two ways is refused rather than repaired.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#define HOST_LABEL_BYTES_MAX 63

/*
 * Decodes a raw path into `out`, NUL-terminated. ERROR_INVALID for what is not
 * canonical: empty segments (but one at the end) and dot segments, ';' '&' '\'
 * anywhere, bytes that are not UTF-8, and percent-encodings that are malformed
 * or stand for a control byte or one of / \ ? # % ; &.
 * ERROR_LIMIT if it does not fit.
 */
enum error url_path_decode(struct span raw, char *out, size_t capacity) MUST_CHECK;

/* Appends text percent-encoded: all but unreserved characters, and '/' if `path`. */
void url_encode(struct span text, bool path, struct buffer *out);

/* Takes the next name=value pair, still encoded, off a query; false at the end. */
bool url_query_next(struct span *query, struct span *name, struct span *value);

/*
 * Decodes one name or value of a query ('+' is a space) into `out`,
 * NUL-terminated. ERROR_INVALID for malformed encodings, control bytes and what
 * is not UTF-8, ERROR_LIMIT if it does not fit.
 */
enum error url_query_decode(struct span raw, char *out, size_t capacity) MUST_CHECK;

/*
 * Decodes in place what is a percent-encoding, and leaves alone what is none: for looking at what
 * others may read there, never for reading. The new length.
 */
size_t url_unescape(char *text, size_t length);

/* ---- Host names and IP addresses as texts ---- */

/* One label of a host name in lower case (RFC 1123 section 2.1). */
bool host_is_label(const char *label, size_t length);
/* Whether the text is an address, without brackets; *loopback: of this machine alone. */
bool host_is_address(const char *text, bool *loopback);
