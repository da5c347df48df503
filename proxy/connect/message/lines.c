#include "connect/message/lines.h"

#include <string.h>

void lines_init(struct lines *lines, size_t max_bytes)
{
    *lines = (struct lines){.max_bytes = max_bytes};
    buffer_init(&lines->line, max_bytes + 1); /* and a CR */
}

void lines_clear(struct lines *lines)
{
    buffer_wipe(&lines->line);
}

/* The line without a CR at its end. */
static struct span trimmed(const struct lines *lines)
{
    struct span line = {lines->line.data, lines->line.length};

    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    return line;
}

enum lines_progress lines_next(struct lines *lines, const char *bytes, size_t length, size_t *taken,
                               struct span *line)
{
    const char *end = length > 0 ? memchr(bytes, '\n', length) : NULL;
    size_t part = end != NULL ? (size_t)(end - bytes) : length;

    *taken = part + (end != NULL ? 1 : 0);
    if (lines->told)
        buffer_reset(&lines->line);
    lines->told = false;
    if (lines->skipping) {
        lines->skipping = end == NULL;
        return LINES_MORE;
    }
    if (part > 0)
        buffer_append(&lines->line, bytes, part);
    if (buffer_failed(&lines->line) || trimmed(lines).length > lines->max_bytes) {
        buffer_clear(&lines->line);
        lines->skipping = end == NULL;
        return LINES_TOO_LONG;
    }
    if (end == NULL)
        return LINES_MORE;
    *line = trimmed(lines);
    lines->told = true;
    return LINES_LINE;
}

bool lines_rest(struct lines *lines, struct span *line)
{
    if (lines->told || lines->skipping || lines->line.length == 0)
        return false;
    *line = trimmed(lines);
    lines->told = true;
    return true;
}
