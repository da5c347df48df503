#include "cli/edit/member.h"

#include "json/chars.h"
#include "json/comments.h"
#include "json/walk.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_INDENT "  "

/* Of a member: from its key's quote to behind its value. */
struct extent {
    size_t from, to;
};

struct edit {
    struct span text;          /* as people see it */
    char *plain;               /* the same without its comments; the caller's to free */
    struct extent list;        /* of the member that is edited */
    size_t open, close;        /* its braces */
    size_t count;              /* of its members */
    struct extent found, last; /* the one with the name, if `exists`; the last one */
    size_t first_from;
    size_t behind_before; /* where the one before it ends, or behind the brace */
    bool exists;
};

static enum error scan_members(struct edit *edit, struct span object, const char *name)
{
    struct json_walk_entry entry;
    struct json_walk walk;
    size_t behind;

    if (!json_walk_enter(&walk, object) || !walk.object)
        return ERROR_NOT_FOUND;
    edit->open = (size_t)(object.data - edit->plain);
    edit->close = edit->open + object.length - 1;
    for (behind = edit->open + 1; json_walk_next(&walk, &entry); behind = edit->last.to) {
        edit->last.from = (size_t)(entry.key.data - 1 - edit->plain);
        edit->last.to = (size_t)(entry.value.data + entry.value.length - edit->plain);
        if (edit->count++ == 0)
            edit->first_from = edit->last.from;
        if (json_chars_equal(entry.key, name)) {
            edit->exists = true;
            edit->found = edit->last;
            edit->behind_before = behind;
        }
    }
    return OK;
}

static enum error find_list(struct edit *edit, const struct member *member)
{
    struct json_walk_entry entry;
    struct json_walk walk;

    if (!json_walk_enter(&walk, (struct span){edit->plain, edit->text.length}) || !walk.object)
        return ERROR_NOT_FOUND;
    while (json_walk_next(&walk, &entry)) {
        if (!json_chars_equal(entry.key, member->list))
            continue;
        edit->list.from = (size_t)(entry.key.data - 1 - edit->plain);
        return scan_members(edit, entry.value, member->name);
    }
    return ERROR_NOT_FOUND;
}

/* Blanks the comments of a copy, and finds everything in that. */
static enum error begin(struct edit *edit, const struct member *member)
{
    struct json_comment_fault fault;
    size_t length = member->text.length;
    json_t *root;

    *edit = (struct edit){.text = member->text, .plain = malloc(length + 1)};
    if (edit->plain == NULL)
        return ERROR_MEMORY;
    memcpy(edit->plain, member->text.data, length);
    edit->plain[length] = '\0';
    if (strlen(edit->plain) != length || json_comments_blank(edit->plain, length, &fault) != OK)
        return ERROR_SYNTAX;
    root = json_loadb(edit->plain, length, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL)
        return ERROR_SYNTAX;
    json_decref(root);
    return find_list(edit, member);
}

/* ---- Lines ---- */

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static bool is_space(char byte)
{
    return is_blank(byte) || byte == '\n' || byte == '\r';
}

static bool begins_line(struct span text, size_t at)
{
    return at == 0 || text.data[at - 1] == '\n';
}

/* Where the line begins on which there is nothing before `at`; `at` itself if there is. */
static size_t line_of(struct span text, size_t at)
{
    size_t from = at;

    while (from > 0 && is_blank(text.data[from - 1]))
        from--;
    return begins_line(text, from) ? from : at;
}

/* What the lines of the text end in. */
static struct span line_end(struct span text)
{
    const char *end = memchr(text.data, '\n', text.length);

    return span_of(end != NULL && end > text.data && end[-1] == '\r' ? "\r\n" : "\n");
}

static bool has_line_end(struct span text, size_t from, size_t to)
{
    return to > from && memchr(text.data + from, '\n', to - from) != NULL;
}

static void append_span(struct buffer *out, struct span span)
{
    buffer_append(out, span.data, span.length);
}

static void append_range(struct buffer *out, struct span text, size_t from, size_t to)
{
    buffer_append(out, text.data + from, to - from);
}

/* ---- Adding ---- */

/* How far in a line begins. */
static struct span indent_at(struct span text, size_t at)
{
    size_t from = line_of(text, at);

    return (struct span){text.data + from, at - from};
}

struct style {
    struct span outer, unit, inner,
        end; /* indents of the list, of a step, of a member; a line's end */
};

static struct style style_of(const struct edit *edit)
{
    struct style style = {.outer = indent_at(edit->text, edit->list.from),
                          .end = line_end(edit->text)};

    style.unit = style.outer.length > 0 ? style.outer : span_of(USUAL_INDENT);
    if (edit->count > 0)
        style.inner = indent_at(edit->text, edit->first_from);
    return style;
}

static void append_inner(struct buffer *out, const struct style *style)
{
    if (style->inner.length > 0) {
        append_span(out, style->inner);
    } else {
        append_span(out, style->outer);
        append_span(out, style->unit);
    }
}

static enum error append_text(struct buffer *out, const json_t *value)
{
    char *text = json_dumps(value, JSON_ENCODE_ANY);

    if (text == NULL)
        return ERROR_MEMORY;
    buffer_append_text(out, text);
    free(text);
    return OK;
}

/* A line's end, and the indent of a line that is so many steps within the member. */
static void append_line(struct buffer *out, const struct style *style, unsigned steps)
{
    append_span(out, style->end);
    append_inner(out, style);
    while (steps-- > 0)
        append_span(out, style->unit);
}

/* In its line; of a list of objects each in a line of its own. */
static enum error append_value(struct buffer *out, const struct style *style, const json_t *value)
{
    enum error error = OK;
    json_t *item;
    size_t i;

    if (!json_is_object(json_array_get(value, 0)))
        return append_text(out, value);
    buffer_append_text(out, "[");
    json_array_foreach(value, i, item)
    {
        buffer_append_text(out, i > 0 ? "," : "");
        append_line(out, style, 2);
        if (error == OK)
            error = append_text(out, item);
    }
    append_line(out, style, 1);
    buffer_append_text(out, "]");
    return error;
}

/* `"name": {`, a line for each member, `}`. */
static enum error append_member(struct buffer *out, const struct style *style, const char *name,
                                const json_t *value)
{
    enum error error = OK;
    bool first = true;
    const char *key;
    json_t *inner;

    append_inner(out, style);
    buffer_append_canonical_string(out, name, strlen(name));
    buffer_append_text(out, ": {");
    json_object_foreach((json_t *)(uintptr_t)value, key, inner)
    {
        buffer_append_text(out, first ? "" : ",");
        append_line(out, style, 1);
        buffer_append_canonical_string(out, key, strlen(key));
        buffer_append_text(out, ": ");
        first = false;
        if (error == OK)
            error = append_value(out, style, inner);
    }
    append_line(out, style, 0);
    buffer_append_text(out, "}");
    return error;
}

static enum error add(const struct edit *edit, const char *name, const json_t *value,
                      struct buffer *out)
{
    const struct style style = style_of(edit);
    const size_t behind = edit->count > 0 ? edit->last.to : edit->open + 1;
    size_t at = edit->close;
    enum error error;

    while (at > behind && is_space(edit->text.data[at - 1]))
        at--;
    append_range(out, edit->text, 0, behind);
    buffer_append_text(out, edit->count > 0 ? "," : "");
    append_range(out, edit->text, behind, at);
    append_span(out, style.end);
    if (has_line_end(edit->text, behind, at)) /* the remark above is not about this one */
        append_span(out, style.end);
    error = append_member(out, &style, name, value);
    if (!has_line_end(edit->text, at, edit->close)) {
        append_span(out, style.end);
        append_span(out, style.outer);
        at = edit->close;
    }
    append_range(out, edit->text, at, edit->text.length);
    return error;
}

enum error member_add(const struct member *member, const struct json_t *value, struct buffer *out)
{
    struct edit edit;
    enum error error = begin(&edit, member);

    if (error == OK)
        error = edit.exists ? ERROR_EXISTS : add(&edit, member->name, value, out);
    free(edit.plain);
    return error == OK && buffer_failed(out) ? ERROR_MEMORY : error;
}

/* ---- Taking away ---- */

/*
 * Where what belongs to the member begins: comments on the lines directly above it are part of it,
 * but not one that begins on the line of what is before, nor any above an empty line.
 */
static size_t first_of(const struct edit *edit, size_t from)
{
    const struct span text = edit->text;
    size_t line = line_of(text, edit->found.from), first = line, lines = 0;

    if (!begins_line(text, line))
        return line;
    for (size_t at = from; at < edit->found.from;) {
        struct span comment = json_comment_at(text.data + at, text.data + text.length);

        if (comment.data == NULL) {
            lines += text.data[at++] == '\n';
            continue;
        }
        if (lines > 1 || first > at)
            first = lines > 0 ? line_of(text, at) : line;
        at += comment.length;
        lines = 0;
    }
    return lines > 1 ? line : first;
}

/* Behind its line's end, if only blanks and comments that end there follow; else behind blanks. */
static size_t end_of(const struct edit *edit, size_t from, bool whole_lines)
{
    const struct span text = edit->text;
    size_t at = from, blank = from;

    while (at < text.length) {
        struct span comment = json_comment_at(text.data + at, text.data + text.length);

        if (comment.data != NULL && memchr(comment.data, '\n', comment.length) == NULL)
            at += comment.length;
        else if (is_blank(text.data[at]) || text.data[at] == '\r')
            at++;
        else
            break;
    }
    if (at < text.length && text.data[at] == '\n')
        return whole_lines ? at + 1 : at;
    while (blank < text.length && is_blank(text.data[blank]))
        blank++;
    return blank;
}

/* Behind the comma at or after `at`, of which the comments are blanked. */
static size_t behind_comma(const struct edit *edit, size_t at)
{
    while (is_space(edit->plain[at]))
        at++;
    return edit->plain[at] == ',' ? at + 1 : 0;
}

/* An empty line above the last would stay as one before the brace. */
static size_t above_empty_line(struct span text, size_t from, size_t least)
{
    size_t at = from;

    if (at == 0 || text.data[at - 1] != '\n')
        return from;
    at -= at > 1 && text.data[at - 2] == '\r' ? 2 : 1;
    while (at > least && is_blank(text.data[at - 1]))
        at--;
    return at > least && text.data[at - 1] == '\n' ? at : from;
}

static void remove_found(const struct edit *edit, struct buffer *out)
{
    const struct span text = edit->text;
    size_t before = edit->behind_before, comma = behind_comma(edit, edit->found.to), from, to;
    bool first = edit->found.from == edit->first_from;

    /* The comma before it belongs to the one that is before; of the last, it goes as well. */
    if (!first)
        before = behind_comma(edit, before);
    from = first_of(edit, before);
    to = end_of(edit, comma > 0 ? comma : edit->found.to, begins_line(text, from));
    if (!begins_line(text, to)) /* others are on its line */
        from = edit->found.from;
    else if (comma == 0)
        from = above_empty_line(text, from, before);
    if (comma == 0 && !first) {
        append_range(out, text, 0, before - 1);
        append_range(out, text, before, from);
    } else {
        append_range(out, text, 0, from);
    }
    append_range(out, text, to, text.length);
}

enum error member_remove(const struct member *member, struct buffer *out)
{
    struct edit edit;
    enum error error = begin(&edit, member);

    if (error == OK && !edit.exists)
        error = ERROR_NOT_FOUND;
    if (error == OK)
        remove_found(&edit, out);
    free(edit.plain);
    return error == OK && buffer_failed(out) ? ERROR_MEMORY : error;
}
