/* Small things that all who write about what happens have in common. */
#pragma once

#include "system/audit.h"

#define JOURNAL_TIME_SIZE 32 /* an RFC 3339 time with its NUL */

/* Seconds since the epoch; clock.c, alone there so that tests can set the time. */
int64_t clock_now(void);
/* Ends a line of the audit log on which nothing hangs: the log says if it cannot be written. */
void journal_commit(struct audit *audit);
/* "2026-01-02T03:04:05Z" (RFC 3339, UTC); "" for a time that cannot be. */
void journal_time(int64_t seconds, char out[JOURNAL_TIME_SIZE]);
