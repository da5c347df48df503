/* What verbs print for people: aligned tables, and members of JSON answers as text. */
#pragma once

#include <stddef.h>

struct json_t; /* jansson's */

/*
 * A member's value as text for people: strings as they are, numbers and
 * booleans in words, null and absent as "-", arrays joined by commas. `room`
 * holds what is not already a string.
 */
const char *output_member(const struct json_t *object, const char *name, char *room,
                          size_t room_size);

/* A string for a document, of a text that may be no UTF-8: what is not becomes U+FFFD. */
struct json_t *output_string(const char *text);
/* Prints a document (taken over; NULL: there was no memory) and a line's end. */
int output_json(struct json_t *document);
/* The same over several lines, and the document stays the caller's. */
int output_json_indented(const struct json_t *document);

/* One column of a list, and the member that it shows. */
struct output_column {
    const char *title, *member;
};

/* Prints the objects of an array as a table. EX_OK, or EX_OSERR after saying so. */
int output_list(const struct json_t *array, const struct output_column *columns, size_t count);
/* Prints these members of an object, one a line. */
int output_record(const struct json_t *object, const char *const *members, size_t count);
