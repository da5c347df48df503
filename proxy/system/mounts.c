#include "system/mounts.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "/" has no bytes to be skipped: what follows a directory's begins with a slash. */
static size_t length_of(const char *directory)
{
    return strcmp(directory, "/") == 0 ? 0 : strlen(directory);
}

bool mounts_is_within(const char *path, const char *directory)
{
    const size_t length = length_of(directory);

    return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* "\040" is a space, as the kernel writes it. */
static void unescape(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
            *out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 3;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

static char *take_path(struct span *rest)
{
    char *path = text_copy(span_split(rest, ' '));

    if (path != NULL)
        unescape(path);
    return path;
}

static bool take_number(struct span *rest, char separator, unsigned *out)
{
    uint64_t number;

    if (!text_number(span_split(rest, separator), 10, &number) || number > UINT_MAX)
        return false;
    *out = (unsigned)number;
    return true;
}

/* "36 35 98:0 /root /point options … - type source options"; a line of another form is left out. */
static enum error add_line(struct mounts *mounts, const char *line, size_t *room)
{
    struct mount row = {.top = true};
    struct span rest = span_of(line);

    if (!take_number(&rest, ' ', &row.id) || !take_number(&rest, ' ', &row.parent) ||
        !take_number(&rest, ':', &row.major) || !take_number(&rest, ' ', &row.minor))
        return OK;
    if (mounts->count >= MOUNTS_MAX)
        return ERROR_LIMIT;
    if (mounts->count == *room) {
        struct mount *rows;

        *room = *room > 0 ? 2 * *room : 64;
        rows = reallocarray(mounts->rows, *room, sizeof(*rows));
        if (rows == NULL)
            return ERROR_MEMORY;
        mounts->rows = rows;
    }
    row.root = take_path(&rest);
    row.point = take_path(&rest);
    if (row.point != NULL && row.point[0] != '/') {
        free(row.root);
        free(row.point);
        return OK;
    }
    mounts->rows[mounts->count++] = row;
    return row.root != NULL && row.point != NULL ? OK : ERROR_MEMORY;
}

static int compare(const void *left, const void *right)
{
    const unsigned a = ((const struct mount *)left)->id, b = ((const struct mount *)right)->id;

    return (a > b) - (a < b);
}

/* The root's own, or what the root of this process hides, is on none that is listed. */
static void find_tops(struct mounts *mounts)
{
    qsort(mounts->rows, mounts->count, sizeof(*mounts->rows), compare);
    for (size_t i = 0; i < mounts->count; i++) {
        struct mount *row = &mounts->rows[i];
        const struct mount above = {.id = row->parent};

        row->top = row->parent == row->id ||
                   bsearch(&above, mounts->rows, mounts->count, sizeof(above), compare) == NULL;
    }
}

enum error mounts_read(const char *file, struct mounts *out)
{
    FILE *stream = fopen(file, "re");
    char *line = NULL;
    size_t size = 0, room = 0;
    enum error error = OK;

    *out = (struct mounts){.rows = NULL};
    if (stream == NULL)
        return OK;
    while (error == OK && getline(&line, &size, stream) >= 0)
        error = add_line(out, line, &room);
    free(line);
    fclose(stream);
    if (error == OK && out->count > 0)
        find_tops(out);
    return error;
}

void mounts_clear(struct mounts *mounts)
{
    for (size_t i = 0; i < mounts->count; i++) {
        free(mounts->rows[i].root);
        free(mounts->rows[i].point);
    }
    free(mounts->rows);
    *mounts = (struct mounts){.rows = NULL};
}

/* Of those on one mount the way meets the shortest first; that may hide the others. */
static const struct mount *next_of(const struct mounts *mounts, const struct mount *below,
                                   const char *path)
{
    const struct mount *found = NULL;

    for (size_t i = 0; i < mounts->count; i++) {
        const struct mount *row = &mounts->rows[i];

        if (below == NULL ? !row->top : row->top || row->parent != below->id)
            continue;
        if (mounts_is_within(path, row->point) &&
            (found == NULL || strlen(row->point) < strlen(found->point)))
            found = row;
    }
    return found;
}

bool mounts_find(const struct mounts *mounts, const char *path, struct mounts_place *out)
{
    const struct mount *at = NULL, *next = next_of(mounts, NULL, path);
    const char *rest;
    int length;

    /* A mount lies on another; more steps than there are would be a circle. */
    for (size_t i = 0; next != NULL && i < mounts->count; i++) {
        at = next;
        next = next_of(mounts, at, path);
    }
    if (at == NULL)
        return false;
    rest = path + length_of(at->point);
    length = snprintf(out->path, sizeof(out->path), "%.*s%s", (int)length_of(at->root), at->root,
                      strcmp(rest, "/") == 0 ? "" : rest);
    if (length == 0)
        strcpy(out->path, "/");
    out->major = at->major;
    out->minor = at->minor;
    return length >= 0 && (size_t)length < sizeof(out->path);
}
