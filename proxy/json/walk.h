/*
 * A walk over the members of an object or the elements of an array in a text
 * that the scanner accepted. On a text that it did not, the walk ends early and
 * never leaves the text.
 */
#pragma once

#include "base/text.h"

struct json_walk {
    const char *at;
    const char *end;
    bool object;
    bool first;
};

struct json_walk_entry {
    struct span key;   /* of a member: raw, between the quotes; of an element: absent */
    struct span value; /* raw, with quotes or brackets, without white space around it */
    struct span whole; /* all between the bracket or comma before it and the one behind it */
};

/* Whether the value is an object or an array; then at its start. White space may precede it. */
bool json_walk_enter(struct json_walk *walk, struct span value);
/* The next member or element; false at the end. */
bool json_walk_next(struct json_walk *walk, struct json_walk_entry *out);

/* ---- JSON pointers (RFC 6901), token by token ---- */

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
