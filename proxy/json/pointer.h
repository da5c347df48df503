/* JSON pointers (RFC 6901), token by token. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Takes the next token off a pointer, unescaped; false at its end, and if it is malformed or
 * longer than there is room. */
bool json_pointer_next(const char **pointer, char *token, size_t capacity);
/* The index that a token is: digits without a leading zero; false if it is none. */
bool json_pointer_index(const char *token, size_t *out);
/*
 * Writes '/' and the key as a token, NUL-terminated; returns its length, 0 if there
 * is no room (twice the key and two are always enough).
 */
size_t json_pointer_escape(const char *key, char *out, size_t capacity);
