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

static void log_line(const char *level, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

/* One write a line: several processes share the descriptor. */
static void log_line(const char *level, const char *format, va_list arguments)
{
    char line[LINE_BYTES_MAX];
    int length, more;

    length = snprintf(line, sizeof(line), "%s: %s: ", log_name, level);
    more = vsnprintf(line + length, sizeof(line) - (size_t)length, format, arguments);
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

#define LOG_FUNCTION(name, level)                                                                  \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        log_line(level, format, arguments);                                                        \
        va_end(arguments);                                                                         \
    }

LOG_FUNCTION(log_error, "error")
LOG_FUNCTION(log_warning, "warning")
LOG_FUNCTION(log_info, "info")
