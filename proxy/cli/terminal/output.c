#include "cli/terminal/output.h"

#include "base/buffer.h"
#include "base/text.h"
#include "cli/terminal/args.h"
#include "cli/terminal/shown.h"

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

/* Appends the next cell of the row, as it may be shown; nothing prints as "-". */
static void add_cell(struct table *table, const char *text)
{
    struct buffer shown;

    if (text == NULL || text[0] == '\0')
        text = "-";
    buffer_init(&shown, TEXT_ESCAPE_SIZE * strlen(text));
    buffer_append_shown(&shown, text, strlen(text));
    if (buffer_failed(&shown) || text_list_add(&table->cells, shown.data, shown.length) != OK)
        table->failed = true;
    buffer_clear(&shown);
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
        const char *text = table->cells.items[i];

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

/* jansson dumps whole characters. */
static int print_piece(const char *bytes, size_t length, void *context)
{
    (void)context;
    shown_document(stdout, bytes, length);
    return 0;
}

static int print_json(const json_t *document, size_t flags)
{
    if (document == NULL || json_dump_callback(document, print_piece, NULL, flags) != 0)
        return args_fail(EX_OSERR, "out of memory");
    if (putchar('\n') == EOF || fflush(stdout) != 0 || ferror(stdout))
        return args_fail(EX_IOERR, "standard output cannot be written");
    return EX_OK;
}

int output_json(json_t *document)
{
    int code = print_json(document, JSON_COMPACT);

    json_decref(document);
    return code;
}

int output_json_indented(const json_t *document)
{
    return print_json(document, JSON_INDENT(2));
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
