#include "base/reason.h"

static const struct reason_info reasons[REASON_COUNT] = {
#define REASON_ROW(symbol, code, status, close, text)                                              \
    [REASON_##symbol] = {code, status, close, text},
    REASON_TABLE(REASON_ROW)
#undef REASON_ROW
};

const struct reason_info *reason_info(enum reason reason)
{
    if ((unsigned)reason >= REASON_COUNT)
        return &reasons[REASON_INTERNAL];
    return &reasons[reason];
}
