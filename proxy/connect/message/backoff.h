/* How long to wait before trying again: longer each time, up to a limit, and not all at once. */
#ifndef SIDELOCK_CONNECT_BACKOFF_H
#define SIDELOCK_CONNECT_BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS   5000

/* All zero is one that has not waited yet; set it to that again after a success. */
struct backoff {
    unsigned failures;
};

/* The next wait: between half and all of BACKOFF_FIRST_MS * 2^failures, at most BACKOFF_MAX_MS. */
uint64_t backoff_next_ms(struct backoff *backoff, uint32_t random);
/* The same with a random number of its own. */
uint64_t backoff_draw_ms(struct backoff *backoff);

#endif
