/*
 * Regular expressions from the configuration: POSIX extended, matched against a
 * whole value. An expression that could escape its anchors, refer back, or
 * need unreasonable memory is refused.
 */
#ifndef SIDELOCK_CONFIG_PATTERN_H
#define SIDELOCK_CONFIG_PATTERN_H

#include "base/error.h"

#include <regex.h>

#define CONFIG_PATTERN_BYTES_MAX  256
#define CONFIG_PATTERN_DEPTH_MAX  16   /* groups within groups */
#define CONFIG_PATTERN_STATES_MAX 1024 /* atoms after every repetition was written out */

/*
 * Compiles `pattern` so that it matches only whole values. ERROR_INVALID with
 * a static phrase in *why ("must ..."), else the caller owns *out (regfree).
 */
enum error config_pattern_compile(const char *pattern, regex_t *out, const char **why) MUST_CHECK;

#endif
