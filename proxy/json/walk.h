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
