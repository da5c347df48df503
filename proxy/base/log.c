#include "base/log.h"

#include "base/text.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024
#define MINUTE_S       60

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

/* Whether a site may say something now; *unsaid is how much it did not say since it last did. */
static bool may_say(struct log_site *site, unsigned *unsaid)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* more threads than one may log */
    struct timespec now;
    bool says;

    *unsaid = 0;
    if (site == NULL)
        return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&lock);
    says = site->said < LOG_SITE_BURST || now.tv_sec - site->since >= MINUTE_S;
    if (says) {
        site->said += site->said < LOG_SITE_BURST ? 1 : 0;
        site->since = now.tv_sec;
        *unsaid = site->unsaid;
        site->unsaid = 0;
    } else {
        site->unsaid++;
    }
    pthread_mutex_unlock(&lock);
    return says;
}

/* One write a line: other programs may share the descriptor. */
static void write_line(const char *text, size_t size)
{
    char line[LINE_BYTES_MAX + 1];
    size_t length = show(text, size, line);

    line[length] = '\n';
    if (write(STDERR_FILENO, line, length + 1) < 0)
        return; /* nowhere left to say so */
}

void log_said(const char *name, const char *text, size_t length)
{
    char line[LINE_BYTES_MAX];
    size_t start = (size_t)snprintf(line, sizeof(line), "%.64s: ", name);

    if (length > sizeof(line) - start)
        length = sizeof(line) - start;
    memcpy(line + start, text, length);
    write_line(line, start + length);
}

void log_line(struct log_site *site, const char *level, const char *format, ...)
{
    char text[LINE_BYTES_MAX];
    va_list arguments;
    unsigned unsaid;
    int start, more;

    if (!may_say(site, &unsaid))
        return;
    start =
        snprintf(text, sizeof(text), "%s%s%s: ", log_name, log_name[0] != '\0' ? ": " : "", level);
    if (unsaid > 0)
        start += snprintf(text + start, sizeof(text) - (size_t)start,
                          "(%u like this were not said) ", unsaid);

    va_start(arguments, format);
    more = vsnprintf(text + start, sizeof(text) - (size_t)start, format, arguments);
    va_end(arguments);
    if (more < 0)
        return;
    write_line(text, strlen(text));
}
