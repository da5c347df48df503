/*
 * UTF-8 (RFC 3629): shortest forms only, no surrogates, nothing above U+10FFFF.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Length in bytes (2 to 4) of the valid sequence that starts at `at`, whose
 * first byte is 0x80 or above; 0 if it is not one. Needs at < end.
 */
size_t utf8_sequence(const unsigned char *at, const unsigned char *end);

/* Whether all bytes are UTF-8. */
bool utf8_valid(const char *bytes, size_t length);
