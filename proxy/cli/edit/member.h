/*
 * A member of an object in a text that people wrote (JSON with comments), added or taken away as
 * they would: every other byte stays, with its comments, order and indentation.
 *
 * What is added goes behind the last member and behind the comments there, on lines of its own,
 * indented as its neighbours are. What is taken away goes with the comments that belong to it:
 * those on the lines directly above it, and one behind it on its line.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

struct json_t; /* jansson's */

/* The member `name` of the object that is the member `list` of the text's own object. */
struct member {
    struct span text;
    const char *list, *name;
};

/*
 * Appends the text with the member, whose value is an object, each of its members on a line.
 * ERROR_EXISTS: there is one of that name; ERROR_NOT_FOUND: there is no such list, or it is no
 * object; ERROR_SYNTAX: the text is not JSON; ERROR_MEMORY.
 */
enum error member_add(const struct member *member, const struct json_t *value,
                      struct buffer *out) MUST_CHECK;
/* The same without it. ERROR_NOT_FOUND: there is none of that name, or no such list. */
enum error member_remove(const struct member *member, struct buffer *out) MUST_CHECK;
