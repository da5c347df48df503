/*
 * Bytes to lines (MCP's stdio transport: one message a line). A line ends with
 * LF or CRLF. One that is longer than the limit is thrown away as it comes, and
 * told once.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

/* Embedded by its user, who calls lines_clear. */
struct lines {
    struct buffer line;
    size_t max_bytes; /* of a line without its end */
    bool skipping;    /* the rest of a line that was too long */
    bool told;        /* the line was given out: the next call forgets it */
};

enum lines_progress {
    LINES_MORE = 0, /* all bytes were taken, or the end of a line that was too long */
    LINES_LINE,     /* *line is one; it is valid until the next call */
    LINES_TOO_LONG, /* a line beyond the limit or the memory; what is left of it will be skipped */
};

void lines_init(struct lines *lines, size_t max_bytes);
void lines_clear(struct lines *lines);
/* Takes bytes until a line is complete; *taken of them were consumed: call again with the rest. */
enum lines_progress lines_next(struct lines *lines, const char *bytes, size_t length, size_t *taken,
                               struct span *line);
/* What came after the last LF: a line too, at the end of the input. False if there is none. */
bool lines_rest(struct lines *lines, struct span *line);
