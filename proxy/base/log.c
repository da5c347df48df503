#include "base/log.h"

#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024
#define MINUTE_S       60
#define PATIENCE_MS    3 /* with whoever reads the log */

static const char *log_name = "sidelock";
static int log_fd = STDERR_FILENO;

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

void log_never_wait(void)
{
    struct stat facts;
    int fd = -1;

    /* A file would be begun anew; a socket cannot be opened. Neither keeps a writer waiting. */
    if (fstat(STDERR_FILENO, &facts) == 0 && (S_ISCHR(facts.st_mode) || S_ISFIFO(facts.st_mode)))
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0)
        log_fd = fd;
}

/* Where there is room at all, there is for a line (pipe(7), PIPE_BUF); but not on a terminal. */
static bool put(const char *line, size_t length, int patience_ms)
{
    struct pollfd output = {.fd = log_fd, .events = POLLOUT};

    return poll(&output, 1, patience_ms) == 1 && (output.revents & POLLOUT) != 0 &&
           write(log_fd, line, length) > 0;
}

/* One write a line: other programs may share the descriptor. */
static void write_line(const char *text, size_t size, int patience_ms)
{
    static atomic_uint lost;
    char line[LINE_BYTES_MAX + 1], notice[96];
    unsigned count = atomic_exchange(&lost, 0);
    size_t length;

    if (count > 0) {
        length = (size_t)snprintf(notice, sizeof(notice),
                                  "nobody read this log for a while; %u lines are lost\n", count);
        if (!put(notice, length, 0))
            atomic_fetch_add(&lost, count);
    }
    length = show(text, size, line);
    line[length] = '\n';
    if (!put(line, length + 1, patience_ms))
        atomic_fetch_add(&lost, 1);
}

bool log_is_ours(const char *name)
{
    /* Processes, those that might speak one day with them, and levels. */
    static const char *const names[] = {"sidelock", "parent",  "broker",  "worker", "workers",
                                        "launcher", "starter", "spawner", "keeper", "relay",
                                        "looker",   "error",   "warning", "info"};
    size_t i = 0;

    while (i < sizeof(names) / sizeof(names[0]) && strcasecmp(names[i], name) != 0)
        i++;
    return i < sizeof(names) / sizeof(names[0]);
}

void log_said(const char *name, const char *text, size_t length)
{
    char line[LINE_BYTES_MAX];
    size_t start = (size_t)snprintf(line, sizeof(line), "%.64s: ", name);

    if (length > sizeof(line) - start)
        length = sizeof(line) - start;
    memcpy(line + start, text, length);
    write_line(line, start + length, 0);
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
    write_line(text, strlen(text), PATIENCE_MS);
}
