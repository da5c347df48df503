/*
 * JSON numbers (RFC 8259 section 6): their grammar. How large one may be is for whoever reads it
 * to say, as of an id: decided on the digits themselves, so that neither rounding nor the locale
 * has a say.
 */
#pragma once

#include "base/text.h"

enum json_type {
    JSON_NONE = 0,
    JSON_TYPE_OBJECT,
    JSON_TYPE_ARRAY,
    JSON_TYPE_STRING,
    JSON_TYPE_INTEGER, /* no fraction, no exponent */
    JSON_TYPE_REAL,
    JSON_TYPE_TRUE,
    JSON_TYPE_FALSE,
    JSON_TYPE_NULL,
};

/*
 * Reads the number at `at` (at < end). Sets *type and returns where it ends; or, with
 * *type JSON_NONE, returns the byte that cannot stand there.
 */
const unsigned char *json_number_read(const unsigned char *at, const unsigned char *end,
                                      enum json_type *type);

/* Whether the text of a JSON_TYPE_INTEGER is within +-(2^53 - 1) and not "-0" (RFC 7493
 * section 2.2). */
bool json_number_is_safe_integer(struct span text);
