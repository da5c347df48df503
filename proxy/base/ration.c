#include "base/ration.h"

bool ration_pay(struct ration *ration, size_t length, uint64_t now_ms)
{
    uint64_t paid = (now_ms - ration->seen_ms) * RATION_BYTES_PER_SECOND / 1000;

    /* Time pays back what bytes cost. */
    if (paid > 0) {
        ration->spent = paid < ration->spent ? ration->spent - paid : 0;
        ration->seen_ms = now_ms;
    }
    if (ration->spent >= RATION_BURST_BYTES) {
        ration->lost += length;
        return false;
    }
    ration->spent += length + RATION_LINE_COST;
    return true;
}
