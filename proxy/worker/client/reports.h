/*
 * What the broker is told of refused messages. Of each session so many have a line of their
 * own (policy/quota.h, `reports`); the rest are counted here and told as one number. A session
 * that goes on beyond that is read ever more slowly, and in the end not at all.
 */
#pragma once

#include "ipc/messages.h"
#include "worker/client/process.h"

#define REPORTS_BEYOND_MAX   32   /* refusals of a client without a line; then it is cut */
#define REPORTS_PAUSE_MS     50   /* it is not read for so long after the first, then twice, ... */
#define REPORTS_SESSIONS_MAX 4096 /* that are remembered */

/* What becomes of the client whose message it was. */
struct report_verdict {
    uint64_t pause_ms; /* not to be read for so long; 0: go on */
    bool cut;          /* REASON_REFUSALS_EXCEEDED */
};

/* A refused message; told, or counted. */
struct report_verdict reports_refused(struct worker *worker, const char *session_id,
                                      const struct ipc_refused *refused);
/* A connection of the session has ended: what was counted is told. */
void reports_ended(struct worker *worker, uint32_t surface, const char *session_id);
/* Now and then: tells what was counted of sessions that may speak again; `last`: of all. */
void reports_settle(struct worker *worker, bool last);
/* Tells and forgets what was counted of a surface that is no more; false: not all was taken. */
bool reports_vacate(struct worker *worker, uint32_t surface);
