#include "connect/message/backoff.h"

#include "base/secret.h"

uint64_t backoff_next_ms(struct backoff *backoff, uint32_t random)
{
    uint64_t whole = (uint64_t)BACKOFF_FIRST_MS << backoff->failures;

    if (whole < BACKOFF_MAX_MS)
        backoff->failures++;
    else
        whole = BACKOFF_MAX_MS;
    return whole / 2 + random % (whole / 2 + 1);
}

uint64_t backoff_draw_ms(struct backoff *backoff)
{
    uint32_t random;

    return backoff_next_ms(backoff, secret_random(&random, sizeof(random)) == OK ? random : 0);
}
