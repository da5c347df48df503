/*
 * Paths and queries of URLs (RFC 3986). A service gets them as they were sent; what is decoded
 * here is what they are judged by. What readers take for different things whatever is
 * behind it is refused rather than repaired; policy/route.c has what depends on the routes.
 */
#pragma once

#include "base/buffer.h"
#include "base/reason.h"
#include "base/text.h"

#define HOST_LABEL_BYTES_MAX 63

/* What stands in a decoded path for a slash that was encoded: part of a segment to some. */
#define URL_ENCODED_SLASH "%2F"

/*
 * Decodes a raw path (RFC 3986 section 2.2, 6.2.2) into `out`, NUL-terminated: all
 * percent-encodings but those of a slash, which are written URL_ENCODED_SLASH. REASON_ALLOWED, or
 * a cause of PATH_INVALID: malformed encodings; control bytes and backslashes, encoded or not;
 * empty segments (but one at the end) and dot segments in any spelling; a slash that was encoded
 * twice; what is not UTF-8 or does not fit.
 */
enum reason url_path_decode(struct span raw, char *out, size_t capacity) MUST_CHECK;
/* The same of what was decoded once more, or had something taken out. */
enum reason url_path_check(const char *path) MUST_CHECK;

/*
 * Appends text percent-encoded: all but unreserved characters and, if `path`, those that a path
 * has as they are (RFC 3986 section 3.3).
 */
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

/*
 * What follows the authority of an http URL ("http://..." or "//..."), if that is a name or an
 * address of this machine alone, with its port (80 if it says none); absent otherwise. Nothing
 * but path, query or fragment may follow, so that nobody reads a longer authority.
 */
struct span url_after_loopback(struct span url, unsigned *port);
