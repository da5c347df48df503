#include "system/fence_kind.h"

#include <stdio.h>

static const struct {
    const char *name;
    unsigned since;
} kinds[FENCE_COUNT] = {
    [FENCE_PRIVILEGES] = {"privileges", 0},
    [FENCE_CALLS] = {"calls", 0},
    [FENCE_CAPABILITIES] = {"capabilities", 0},
    [FENCE_DUMPS] = {"dumps", 0},
    [FENCE_READ] = {"read", 1},
    [FENCE_WRITE] = {"write", 1},
    [FENCE_TRUNCATE] = {"truncate", 3},
    [FENCE_EXECUTE] = {"execute", 1},
    [FENCE_TCP_BIND] = {"tcp_bind", 4},
    [FENCE_TCP_CONNECT] = {"tcp_connect", 4},
    [FENCE_ABSTRACT] = {"abstract_sockets", 6},
    [FENCE_SIGNALS] = {"signals", 6},
    [FENCE_MEMORY] = {"memory", 0},
    [FENCE_PROCESSES] = {"processes", 0},
    [FENCE_CONNECT] = {"connect", 0},
};

const char *fence_kind_name(enum fence_kind kind)
{
    return kinds[kind].name;
}

const char *fence_kinds_print(uint32_t fences, char out[FENCE_NAMES_SIZE])
{
    size_t length = 0;

    out[0] = '\0';
    for (unsigned kind = 0; kind < FENCE_COUNT && length < FENCE_NAMES_SIZE; kind++) {
        if ((fences & UINT32_C(1) << kind) != 0)
            length += (size_t)snprintf(out + length, FENCE_NAMES_SIZE - length, "%s%s",
                                       length > 0 ? ", " : "", kinds[kind].name);
    }
    return out;
}

unsigned fence_kind_since(enum fence_kind kind)
{
    return kinds[kind].since;
}

uint32_t fence_kinds_lacking(uint32_t fences, unsigned landlock)
{
    uint32_t lacking = 0;

    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        if (kinds[kind].since > landlock)
            lacking |= fences & UINT32_C(1) << kind;
    }
    return lacking;
}

bool fence_kinds_tell_lacking(uint32_t fences, unsigned landlock, const char *whose,
                              char out[FENCE_SENTENCE_SIZE])
{
    uint32_t lacking = fence_kinds_lacking(fences, landlock);
    char names[FENCE_NAMES_SIZE], kernel[64] = "has no Landlock, or hides it";

    if (landlock > 0)
        snprintf(kernel, sizeof(kernel), "has Landlock of version %u", landlock);
    snprintf(out, FENCE_SENTENCE_SIZE, "this kernel %s: advisory alone are, of %s: %s", kernel,
             whose, fence_kinds_print(lacking, names));
    return lacking != 0;
}
