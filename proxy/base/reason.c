#include "base/reason.h"

#include <string.h>

static const struct reason_info reasons[REASON_COUNT] = {
#define REASON_ROW(symbol, code, status, close, text)                                              \
    [REASON_##symbol] = {code, NULL, status, close, text},
#define CAUSE_ROW(symbol, code, cause, status, close, text)                                        \
    [REASON_##symbol] = {code, cause, status, close, text},
    REASON_TABLE(REASON_ROW, CAUSE_ROW)
#undef CAUSE_ROW
#undef REASON_ROW
};

const struct reason_info *reason_info(enum reason reason)
{
    if ((unsigned)reason >= REASON_COUNT)
        return &reasons[REASON_INTERNAL];
    return &reasons[reason];
}

bool reason_same(enum reason one, enum reason other)
{
    return strcmp(reason_info(one)->code, reason_info(other)->code) == 0;
}
