/*
 * JSON into jansson's values and back, for what is not on the hot path: the strict scanner
 * (json/scan.h) reads first, so what jansson lets pass and others read differently
 * never reaches it.
 */
#pragma once

#include "base/buffer.h"
#include "base/secret.h"
#include "base/text.h"

struct json_t; /* jansson's */

/*
 * An object or array; the caller's to json_decref(). ERROR_SYNTAX; ERROR_LIMIT for one
 * that is too deep or has too many members; ERROR_MEMORY.
 */
enum error json_parse(const char *text, size_t length, struct json_t **out) MUST_CHECK;

/* Adds the strings of an array to a list. ERROR_INVALID: not all of it are strings. */
enum error json_texts(const struct json_t *array, struct text_list *out) MUST_CHECK;

/* Appends a document, compact and fit to be shown, and lets go of it. ERROR_MEMORY: it is NULL, for
 * want of memory. */
enum error json_append(struct buffer *out, struct json_t *document) MUST_CHECK;

/* ---- Canonical form ---- */

/*
 * One form for every JSON value that means the same: compact, members in byte
 * order of their keys, strings with the fewest escapes, the shortest decimal of
 * a real. The identity of parameter records rests on it.
 */
#define CANONICAL_TEXT_BYTES_MAX 65536 /* of a value's text */
/* What the form may grow to: escapes and numbers written out. */
#define CANONICAL_BYTES_MAX ((size_t)8 * CANONICAL_TEXT_BYTES_MAX)

/* Appends the form of a value that json_scan has let pass, so its depth is capped; asks the caller
 * to look at buffer_failed(). */
void canonical_append(struct buffer *out, struct json_t *value);
/* SHA-256 in hex over the form. ERROR_LIMIT beyond CANONICAL_BYTES_MAX. */
enum error canonical_digest(struct json_t *value, char out[SHA256_HEX_SIZE]) MUST_CHECK;
/* The same over the text of any JSON value, read as json_parse() does; ERROR_LIMIT beyond
 * CANONICAL_TEXT_BYTES_MAX. */
enum error canonical_text_digest(const char *json, size_t length,
                                 char out[SHA256_HEX_SIZE]) MUST_CHECK;
