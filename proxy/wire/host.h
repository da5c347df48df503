/* Host names and IP addresses as texts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HOST_LABEL_BYTES_MAX 63

/* One label of a host name in lower case (RFC 1123 section 2.1). */
bool host_is_label(const char *label, size_t length);
/* Whether the text is an address, without brackets; *loopback: of this machine alone. */
bool host_is_address(const char *text, bool *loopback);
