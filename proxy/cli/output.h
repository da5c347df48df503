/* What verbs print for people: aligned tables, and members of JSON answers as text. */
#ifndef SIDELOCK_CLI_OUTPUT_H
#define SIDELOCK_CLI_OUTPUT_H

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

/* Parses an answer of the control API; NULL after saying that it is not JSON. */
struct json_t *output_parse(struct span answer);
/*
 * A member's value as text for people: strings as they are, numbers and
 * booleans in words, null and absent as "-", arrays joined by commas. `room`
 * holds what is not already a string.
 */
const char *output_member(const struct json_t *object, const char *name, char *room,
                          size_t room_size);

#endif
