/*
 * Regular expressions of the configuration, matched against whole values: what
 * POSIX extended expressions (POSIX.1-2017 section 9.4) and PCRE2 read alike, over
 * bytes. Whatever the two read differently is refused, so an expression has one
 * meaning whoever reads it: no lazy or possessive repetitions, no (?...), no
 * references back, no backslash before a letter or digit.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>

#define CONFIG_PATTERN_BYTES_MAX 256
#define CONFIG_PATTERN_DEPTH_MAX 16 /* groups within groups */
#define CONFIG_PATTERN_WHY_SIZE  160

struct config_pattern;

/*
 * ERROR_INVALID with the rest of a sentence in `why` ("must ..."), else the
 * caller owns *out.
 */
enum error config_pattern_compile(const char *text, struct config_pattern **out,
                                  char why[CONFIG_PATTERN_WHY_SIZE]) MUST_CHECK;
/*
 * Whether the whole value matches. One that would cost more than the limits in
 * pattern.c does not: a value that makes an expression backtrack is refused.
 */
bool config_pattern_matches(const struct config_pattern *pattern, const char *value);
void config_pattern_destroy(struct config_pattern *pattern);
