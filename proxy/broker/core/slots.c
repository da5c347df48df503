#include "broker/core/slots.h"

static size_t count_needed(const uint32_t *slots, size_t count)
{
    size_t needed = 0;

    for (size_t i = 0; i < count; i++)
        needed += slots[i] == SLOTS_NONE;
    return needed;
}

enum error slots_assign(const bool taken[CONFIG_SLOTS_MAX], uint32_t *slots, size_t count)
{
    size_t needed = count_needed(slots, count), available = 0;
    uint32_t next = 0;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        available += !taken[i];
    if (needed > available)
        return ERROR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (slots[i] != SLOTS_NONE)
            continue;
        while (taken[next])
            next++;
        slots[i] = next++;
    }
    return OK;
}
