#include "cli/terminal/output.h"

#include "base/buffer.h"
#include "base/text.h"
#include "cli/terminal/args.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#define ROOM_BYTES  1024
#define COLUMNS_MAX 12

struct table {
    size_t columns;
    struct text_list cells; /* row by row; the first row is the header */
    bool failed;
};

/* Appends the next cell of the row; nothing prints as "-". */
static void add_cell(struct table *table, const char *text)
{
    if (text == NULL || text[0] == '\0')
        text = "-";
    if (text_list_add(&table->cells, text, strlen(text)) != OK)
        table->failed = true;
}

/* Prints to stdout and empties the table. */
static int print_table(struct table *table)
{
    size_t widths[COLUMNS_MAX] = {0};
    bool failed = table->failed;

    for (size_t i = 0; i < table->cells.count; i++) {
        size_t length = strlen(table->cells.items[i]);

        if (length > widths[i % table->columns])
            widths[i % table->columns] = length;
    }
    for (size_t i = 0; !failed && i < table->cells.count; i++) {
        size_t column = i % table->columns;
        char *text = table->cells.items[i];

        text_make_printable(text);
        if (column == table->columns - 1)
            puts(text);
        else
            printf("%-*s", (int)widths[column] + 2, text);
    }
    text_list_clear(&table->cells);
    return failed ? args_fail(EX_OSERR, "out of memory") : EX_OK;
}

/* What is no array. */
static const char *scalar_text(const json_t *value, char *room, size_t room_size)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        snprintf(room, room_size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        snprintf(room, room_size, "%s",
                 !json_is_boolean(value) ? "-"
                 : json_is_true(value)   ? "yes"
                                         : "no");
    return room;
}

const char *output_member(const json_t *object, const char *name, char *room, size_t room_size)
{
    const json_t *value = json_object_get(object, name);
    size_t used = 0, i;
    json_t *item;

    if (!json_is_array(value))
        return scalar_text(value, room, room_size);
    snprintf(room, room_size, "none");
    json_array_foreach(value, i, item)
    {
        char number[32];
        int added = snprintf(room + used, room_size - used, "%s%s", i > 0 ? ", " : "",
                             scalar_text(item, number, sizeof(number)));

        if (added < 0 || (size_t)added >= room_size - used)
            break;
        used += (size_t)added;
    }
    return room;
}

json_t *output_string(const char *path)
{
    struct buffer text;
    json_t *string;

    buffer_init(&text, 6 * strlen(path) + 2);
    buffer_append_json_string(&text, path, strlen(path));
    string = json_loadb(text.data, text.length, JSON_DECODE_ANY, NULL);
    buffer_clear(&text);
    return string;
}

int output_json(json_t *document)
{
    bool made = document != NULL;
    bool printed = made && json_dumpf(document, stdout, JSON_COMPACT) == 0 &&
                   putchar('\n') != EOF && fflush(stdout) == 0;

    json_decref(document);
    if (!made)
        return args_fail(EX_OSERR, "out of memory");
    return printed ? EX_OK : args_fail(EX_IOERR, "standard output cannot be written");
}

int output_list(const struct json_t *array, const struct output_column *columns, size_t count)
{
    struct table table = {.columns = count};
    json_t *object;
    size_t i;

    for (size_t j = 0; j < count; j++)
        add_cell(&table, columns[j].title);
    json_array_foreach(array, i, object)
    {
        char room[ROOM_BYTES];

        for (size_t j = 0; j < count; j++)
            add_cell(&table, output_member(object, columns[j].member, room, sizeof(room)));
    }
    return print_table(&table);
}

int output_record(const struct json_t *object, const char *const *members, size_t count)
{
    struct table table = {.columns = 2};
    char room[ROOM_BYTES];

    add_cell(&table, "MEMBER");
    add_cell(&table, "VALUE");
    for (size_t i = 0; i < count; i++) {
        add_cell(&table, members[i]);
        add_cell(&table, output_member(object, members[i], room, sizeof(room)));
    }
    return print_table(&table);
}
