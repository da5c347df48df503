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

bool reason_is_json(enum reason reason)
{
    return reason >= REASON_JSON_UTF8 && reason <= REASON_JSON_REWRITTEN;
}

bool reason_is_shape(enum reason reason)
{
    return reason >= REASON_MESSAGE_SHAPE && reason <= REASON_BATCH_REFUSED;
}

bool reason_is_of_message(enum reason reason)
{
    return reason >= REASON_BINARY_REFUSED && reason < REASON_COUNT;
}

bool reason_is_policy(enum reason reason)
{
    return reason >= REASON_VERB_UNKNOWN && reason < REASON_COUNT;
}
