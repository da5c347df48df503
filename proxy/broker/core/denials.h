/*
 * A bound on how fast refused strangers can fill the disk: beyond a burst,
 * denials are counted instead of written one by one, and a line
 * "denied_suppressed" says how many. Counters and answers are not affected.
 */
#ifndef SIDELOCK_BROKER_DENIALS_H
#define SIDELOCK_BROKER_DENIALS_H

#include <stdbool.h>
#include <stdint.h>

#define DENIALS_BURST      1000 /* lines at once */
#define DENIALS_PER_SECOND 100  /* lines in the long run */

/* All zero is a full allowance. */
struct denials {
    uint64_t spent_ms;   /* milliseconds of allowance in use */
    uint64_t seen_ms;    /* when that was last reckoned */
    uint64_t suppressed; /* denials not written since the last line about them */
};

/* Whether a denial may have a line of its own at a monotonic time; counts it if not. */
bool denials_may_log(struct denials *denials, uint64_t now_ms);

/* How many were suppressed since this was last asked. */
uint64_t denials_take_suppressed(struct denials *denials);

#endif
