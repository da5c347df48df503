/*
 * Names of header fields (RFC 9110 section 5.1), compared without case, and the table of those
 * that services trust.
 */
#pragma once

#include "base/text.h"

bool http_name_begins(struct span name, const char *prefix, size_t length);

/* Whether it is one of these, in lower case; one that ends with '*' stands for all that begin so.
 */
bool http_name_among(struct span name, const char *const *patterns, size_t count);

/*
 * Whether every reader takes it for this name and no other: letters, digits and hyphens. CGI and
 * its heirs (WSGI, Rack) hand headers on as variables with '_' for '-', and with some also for
 * every other sign.
 */
bool http_name_plain(struct span name);

/*
 * Whether services may believe it: reverse proxies, gates and single sign-on say by it who asks,
 * from where, with which certificate, and which host, scheme, path or method was meant. What a
 * client writes there is a claim that nobody has looked at.
 */
bool http_name_trusted(struct span name);
