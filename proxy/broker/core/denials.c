#include "broker/core/denials.h"

#include "broker/core/journal.h"

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

void denials_log_suppressed(struct denials *denials, struct audit *audit)
{
    if (denials->suppressed == 0)
        return;
    audit_begin(audit, "denied_suppressed");
    audit_number(audit, "count", (int64_t)denials->suppressed);
    journal_commit(audit);
    denials->suppressed = 0;
}

bool denials_count(struct denials *denials, struct surface_state *surface, enum reason reason,
                   struct audit *audit, uint64_t now_ms)
{
    surface->denied++;
    denials->by_reason[reason]++;
    if (!denials_may_log(denials, now_ms))
        return false;
    denials_log_suppressed(denials, audit);
    return true;
}
