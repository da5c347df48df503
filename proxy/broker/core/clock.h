/* What time it is. */
#ifndef SIDELOCK_BROKER_CORE_CLOCK_H
#define SIDELOCK_BROKER_CORE_CLOCK_H

#include <stdint.h>

/* Seconds since the epoch. */
int64_t clock_now(void);

#endif
