#include "base/log.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024

static const char *log_name = "sidelock";

void log_set_name(const char *name)
{
    log_name = name;
}

/* Puts as much of a text into a line as fits, as it may be shown; returns the length. */
static size_t show(const char *text, size_t length, char line[LINE_BYTES_MAX])
{
    const char *end = text + length;
    size_t used = 0;

    while (text < end) {
        char escape[TEXT_ESCAPE_SIZE];
        size_t step = text_escape(text, end, escape);
        size_t escaped = strlen(escape), wanted = escaped > 0 ? escaped : step;

        if (used + wanted > LINE_BYTES_MAX)
            break;
        memcpy(line + used, escaped > 0 ? escape : text, wanted);
        used += wanted;
        text += step;
    }
    return used;
}

/* One write a line: several processes share the descriptor. */
void log_line(const char *level, const char *format, ...)
{
    char text[LINE_BYTES_MAX], line[LINE_BYTES_MAX + 1];
    va_list arguments;
    int start = snprintf(text, sizeof(text), "%s: %s: ", log_name, level), more;
    size_t length;

    va_start(arguments, format);
    more = vsnprintf(text + start, sizeof(text) - (size_t)start, format, arguments);
    va_end(arguments);
    if (more < 0)
        return;
    length = show(text, strlen(text), line);
    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return; /* nowhere left to say so */
}
