#include "broker/core/denials.h"

#define LINE_MS      (1000 / DENIALS_PER_SECOND)
#define ALLOWANCE_MS ((uint64_t)DENIALS_BURST * LINE_MS)

/* A leaky bucket in units of time: each line costs LINE_MS, and time pays it back. */
bool denials_may_log(struct denials *denials, uint64_t now_ms)
{
    uint64_t passed = now_ms - denials->seen_ms;

    denials->spent_ms = passed < denials->spent_ms ? denials->spent_ms - passed : 0;
    denials->seen_ms = now_ms;
    if (denials->spent_ms + LINE_MS > ALLOWANCE_MS) {
        denials->suppressed++;
        return false;
    }
    denials->spent_ms += LINE_MS;
    return true;
}

uint64_t denials_take_suppressed(struct denials *denials)
{
    uint64_t suppressed = denials->suppressed;

    denials->suppressed = 0;
    return suppressed;
}
