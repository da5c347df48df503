/* Small things that all who write about what happens have in common. */
#pragma once

#include "broker/core/gate.h"

#define JOURNAL_TIME_SIZE 32 /* an RFC 3339 time with its NUL */

/* Seconds since the epoch; clock.c, alone there so that tests can set the time. */
int64_t clock_now(void);
/*
 * Begins a line of the audit log about what a client did; `event` is static. NULL, with which
 * audit_* do nothing: the client has had its share of such lines, and this one is counted.
 */
struct audit *journal_begin(struct gate *gate, const char *event, struct lines_client client);
/* Counts a denial, and begins its line likewise. */
struct audit *journal_begin_denial(struct gate *gate, struct surface_state *surface,
                                   enum reason reason, struct lines_client client);
/* Adds to a denial's line, if that is why: the service's socket or address, and what
 * connect(2) said of it. */
void journal_upstream(const struct surface_state *surface, enum reason reason, struct audit *audit);
/* So many that have no line are counted as if each had been one too many. */
void journal_suppress(struct gate *gate, const char *event, struct lines_client client,
                      uint64_t count);
/*
 * Ends a line on which a grant hangs: whether it may be given, the line being in the log, or the
 * configuration saying `"on_audit_failure": "continue"`.
 */
bool journal_commit_grant(const struct gate *gate, struct audit *audit);
/* Ends a line of the audit log on which nothing hangs: one that cannot be written is counted. */
void journal_commit(struct audit *audit);
/* The same of one that a worker told of: it is written with others, at the end of the loop's turn.
 */
void journal_commit_later(struct audit *audit);
/* "2026-01-02T03:04:05Z" (RFC 3339, UTC); "" for a time that cannot be. */
void journal_time(int64_t seconds, char out[JOURNAL_TIME_SIZE]);
