/*
 * Prints the loopback exception register (register.h) as Markdown or JSON, row by row. Called
 * for /v1/register and by `sidelock register`.
 */
#include "broker/operations/register.h"

#include "json/parse.h"

#include <jansson.h>
#include <string.h>

static const char *evidence(const struct register_cell *cell)
{
    return cell->proven ? "proven" : "claimed";
}

static json_t *cell_of(const struct register_cell *cell)
{
    return json_pack("{s:s%, s:s, s:s, s:b}", "value", cell->value.data, cell->value.length,
                     "evidence", evidence(cell), "how", cell->how, "finding", cell->finding);
}

static void render_json(const struct register_row *rows, size_t count, bool live,
                        struct buffer *out)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *row = json_pack("{s:s}", "surface", rows[i].name);

        for (unsigned j = 0; j < REGISTER_COLUMN_COUNT; j++)
            json_object_set_new(row, register_headings[j].key, cell_of(&rows[i].cells[j]));
        json_array_append_new(array, row);
    }
    if (json_append(out, json_pack("{s:b, s:o}", "live", live, "rows", array)) != OK)
        out->failed = true;
    buffer_append_text(out, "\n");
}

/*
 * Text in a Markdown table cell: what would end the cell, or read as markup or
 * HTML, is escaped; line ends become spaces. Code spans are not used, since
 * backslashes do not escape inside them.
 */
static void markdown_text(struct buffer *out, const char *text, size_t length)
{
    const char *end = text + length;
    char escape[TEXT_ESCAPE_SIZE];

    for (size_t step; text < end; text += step) {
        unsigned char byte = (unsigned char)*text;

        step = text_escape(text, end, escape);
        if (byte == '<')
            buffer_append_text(out, "&lt;");
        else if (byte == '>')
            buffer_append_text(out, "&gt;");
        else if (byte == '&')
            buffer_append_text(out, "&amp;");
        else if (byte < 0x20 || byte == 0x7f)
            buffer_append_text(out, " ");
        else if (escape[0] != '\0')
            buffer_append_format(out, "\\%s", escape);
        else if (strchr("\\`*_{}[]|#~!", byte) != NULL)
            buffer_append_format(out, "\\%c", byte);
        else
            buffer_append(out, text, step);
    }
}

static void render_header(struct buffer *out)
{
    buffer_append_text(out, "|");
    for (unsigned i = 0; i < REGISTER_COLUMN_COUNT; i++)
        buffer_append_format(out, " %s |", register_headings[i].title);
    buffer_append_text(out, "\n|");
    for (unsigned i = 0; i < REGISTER_COLUMN_COUNT; i++)
        buffer_append_text(out, " --- |");
    buffer_append_text(out, "\n");
}

static void render_row(const struct register_row *row, struct buffer *out)
{
    buffer_append_text(out, "|");
    for (unsigned i = 0; i < REGISTER_COLUMN_COUNT; i++) {
        const struct register_cell *cell = &row->cells[i];

        buffer_append_text(out, " ");
        markdown_text(out, cell->value.data, cell->value.length);
        buffer_append_format(out, " *(%s%s)* |", evidence(cell), cell->finding ? ", finding" : "");
    }
    buffer_append_text(out, "\n");
}

static size_t count_findings(const struct register_row *rows, size_t count)
{
    size_t findings = 0;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < REGISTER_COLUMN_COUNT; j++)
            findings += rows[i].cells[j].finding;
    }
    return findings;
}

/* One bullet a cell: `how` for all, so that a reader can judge what "proven" is worth. */
static void render_cells(const struct register_row *rows, size_t count, bool findings,
                         struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < REGISTER_COLUMN_COUNT; j++) {
            const struct register_cell *cell = &rows[i].cells[j];

            if (findings && !cell->finding)
                continue;
            buffer_append_text(out, "- ");
            markdown_text(out, rows[i].name, strlen(rows[i].name));
            buffer_append_format(out, ", %s: ", register_headings[j].title);
            if (findings)
                markdown_text(out, cell->value.data, cell->value.length);
            else
                buffer_append_format(out, "%s, %s", evidence(cell), cell->how);
            buffer_append_text(out, "\n");
        }
    }
}

static void render_markdown(const struct register_row *rows, size_t count, bool live,
                            struct buffer *out)
{
    buffer_append_text(out, "# Loopback exception register\n\n");
    buffer_append_text(out, live ? "From the running gate and its configuration.\n\n"
                                 : "From the configuration alone: Sidelock was not running, so "
                                   "everything is claimed.\n\n");
    render_header(out);
    for (size_t i = 0; i < count; i++)
        render_row(&rows[i], out);
    if (count_findings(rows, count) > 0) {
        buffer_append_text(out, "\n## Findings\n\n");
        render_cells(rows, count, true, out);
    }
    buffer_append_text(out, "\n## How each cell is known\n\n");
    render_cells(rows, count, false, out);
}

enum error register_render(const struct register_facts *facts, size_t count,
                           enum register_format format, struct buffer *out)
{
    struct register_row rows[CONFIG_SURFACES_MAX];
    bool live = count > 0;
    enum error error = OK;
    size_t built = 0;

    if (count > CONFIG_SURFACES_MAX)
        return ERROR_LIMIT;
    for (; built < count; built++) {
        error = register_row_build(&facts[built], &rows[built]);
        if (error != OK)
            break;
        live = live && facts[built].live;
    }
    if (error == OK) {
        if (format == REGISTER_JSON)
            render_json(rows, count, live, out);
        else
            render_markdown(rows, count, live, out);
        if (buffer_failed(out))
            error = ERROR_LIMIT;
    }
    for (size_t i = 0; i < built; i++)
        register_row_clear(&rows[i]);
    return error;
}
