/*
 * Denials, counted, and a bound on how fast refused strangers can fill the disk:
 * beyond a burst, denials are counted instead of written one by one, and a line
 * "denied_suppressed" says how many. Counters and answers are not affected.
 */
#pragma once

#include "broker/core/surfaces.h"
#include "system/audit.h"

#define DENIALS_BURST      1000 /* lines at once */
#define DENIALS_PER_SECOND 100  /* lines in the long run */

/* All zero is a full allowance. */
struct denials {
    uint64_t spent_ms;   /* milliseconds of allowance in use */
    uint64_t seen_ms;    /* when that was last reckoned */
    uint64_t suppressed; /* denials not written since the last line about them */
    uint64_t by_reason[REASON_COUNT];
};

/*
 * Counts a denial, and says whether it may have a line of its own in the audit
 * log; after a flood, the line that says how many had none comes first.
 */
bool denials_count(struct denials *denials, struct surface_state *surface, enum reason reason,
                   struct audit *audit, uint64_t now_ms);
/* Writes how many denials had no line of their own, if any. */
void denials_log_suppressed(struct denials *denials, struct audit *audit);

/* Whether a denial may have a line of its own at a monotonic time; counts it if not. */
bool denials_may_log(struct denials *denials, uint64_t now_ms);
