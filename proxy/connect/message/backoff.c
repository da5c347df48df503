#include "connect/message/backoff.h"

#include "base/secret.h"

uint64_t backoff_next_ms(struct backoff *backoff, uint32_t random)
{
    uint64_t whole = BACKOFF_FIRST_MS;

    for (unsigned i = 0; i < backoff->failures && whole < BACKOFF_MAX_MS; i++)
        whole *= 2;
    if (whole >= BACKOFF_MAX_MS)
        whole = BACKOFF_MAX_MS;
    else
        backoff->failures++;
    return whole / 2 + random % (whole / 2 + 1);
}

uint64_t backoff_draw_ms(struct backoff *backoff)
{
    uint32_t random;

    return backoff_next_ms(backoff, secret_random(&random, sizeof(random)) == OK ? random : 0);
}
