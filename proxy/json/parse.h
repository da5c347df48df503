/*
 * JSON into jansson's values and back, for what is not on the hot path: the strict scanner
 * (json/scan.h) reads first, so what jansson lets pass and others read differently
 * never reaches it.
 */
#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"

#include <stddef.h>

struct json_t; /* jansson's */

/*
 * An object or array; the caller's to json_decref(). ERROR_SYNTAX; ERROR_LIMIT for one
 * that is too deep or has too many members; ERROR_MEMORY.
 */
enum error json_parse(const char *text, size_t length, struct json_t **out) MUST_CHECK;

/* Adds the strings of an array to a list. ERROR_INVALID: not all of it are strings. */
enum error json_texts(const struct json_t *array, struct text_list *out) MUST_CHECK;

/* Appends a document, compact, and lets go of it. ERROR_MEMORY: it is NULL, for want of memory. */
enum error json_append(struct buffer *out, struct json_t *document) MUST_CHECK;
