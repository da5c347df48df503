#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024

static const char *log_name = "sidelock";

void log_set_name(const char *name)
{
    log_name = name;
}

/* One write a line: several processes share the descriptor. */
void log_line(const char *level, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    int length, more;

    length = snprintf(line, sizeof(line), "%s: %s: ", log_name, level);
    va_start(arguments, format);
    more = vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
    va_end(arguments);
    if (more < 0)
        return;
    length += more;
    if (length > LINE_BYTES_MAX - 2)
        length = LINE_BYTES_MAX - 2;
    for (int i = 0; i < length; i++) {
        if ((unsigned char)line[i] < 0x20)
            line[i] = '?';
    }
    line[length] = '\n';
    if (write(STDERR_FILENO, line, (size_t)length + 1) < 0)
        return; /* nowhere left to say so */
}
