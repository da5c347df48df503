/*
 * The operator's log: one plain line an event on stderr, `level: text`. A line
 * for which there is no room is counted and left out.
 * Denials do not go here but to the audit log (system/audit.h).
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A short name put before each line ("broker"; "": none); static storage. */
void log_set_name(const char *name);
/*
 * For a process for which others wait: from now on a stopped terminal (Ctrl-S) or a full pipe costs
 * it lines, not time. To be called once, before there are threads.
 */
void log_never_wait(void);
/* Whether a line of our own may begin so, whatever the case of its letters: no service may. */
bool log_is_ours(const char *name);
/* A line that another process wrote, `name: text`; cut and escaped like our own. */
void log_said(const char *name, const char *text, size_t length);

/*
 * What may go wrong again and again says so a few times, and then once a minute with how often
 * it did meanwhile: whoever can make it happen cannot fill a disk with it. One for each place
 * in the sources; all zero at first.
 */
struct log_site {
    int64_t since; /* monotonic seconds: when its minute began */
    unsigned said, unsaid;
};
#define LOG_SITE_BURST 20

void log_line(struct log_site *site, const char *level, const char *format, ...) PRINTF_LIKE(3, 4);
#define log_at_site(level, ...)                                                                    \
    do {                                                                                           \
        static struct log_site log_site_here;                                                      \
        log_line(&log_site_here, level, __VA_ARGS__);                                              \
    } while (0)
#define log_error(...)   log_at_site("error", __VA_ARGS__)
#define log_warning(...) log_at_site("warning", __VA_ARGS__)
#define log_info(...)    log_line(NULL, "info", __VA_ARGS__)
