/*
 * One form for every JSON value that means the same: compact, members in byte
 * order of their keys, strings with the fewest escapes, the shortest decimal of
 * a real. The identity of parameter records rests on it.
 */
#pragma once

#include "base/buffer.h"
#include "base/secret.h"

#define CANONICAL_TEXT_BYTES_MAX 65536 /* of a value's text */
/* What the form may grow to: escapes and numbers written out. */
#define CANONICAL_BYTES_MAX ((size_t)8 * CANONICAL_TEXT_BYTES_MAX)

struct json_t; /* jansson's; a value that json_scan has let pass, so its depth is capped */

/* Appends the form; asks the caller to look at buffer_failed(). */
void canonical_append(struct buffer *out, struct json_t *value);
/* SHA-256 in hex over the form. ERROR_LIMIT beyond CANONICAL_BYTES_MAX. */
enum error canonical_digest(struct json_t *value, char out[SHA256_HEX_SIZE]) MUST_CHECK;
/* The same over the text of any JSON value, read as json_parse() does; ERROR_LIMIT beyond
 * CANONICAL_TEXT_BYTES_MAX. */
enum error canonical_text_digest(const char *json, size_t length,
                                 char out[SHA256_HEX_SIZE]) MUST_CHECK;
