/* What verbs print for people: aligned tables, and members of JSON answers as text. */
#pragma once

#include "base/text.h"

struct json_t; /* jansson's */

#define OUTPUT_COLUMNS_MAX 12

struct output_table {
    size_t columns;
    struct text_list cells; /* row by row; the first row is the header */
    bool failed;
};

/* `header` has `columns` names. */
void output_table_init(struct output_table *table, const char *const *header, size_t columns);
/* Appends the next cell of the row; NULL prints as "-". */
void output_table_cell(struct output_table *table, const char *text);
/* Prints to stdout and empties the table. EX_OK, or EX_OSERR after saying so. */
int output_table_print(struct output_table *table);

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

/* One column of a list, and the member that it shows. */
struct output_column {
    const char *title, *member;
};

/* Prints the objects of an array as a table. Returns as output_table_print. */
int output_list(const struct json_t *array, const struct output_column *columns, size_t count);
/* Prints these members of an object, one a line. */
int output_record(const struct json_t *object, const char *const *members, size_t count);
