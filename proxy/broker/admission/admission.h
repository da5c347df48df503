/*
 * What this room answers the questions of workers with: each file of it takes
 * this, and what lies below; none knows how the broker is put together.
 */
#ifndef SIDELOCK_BROKER_ADMISSION_ADMISSION_H
#define SIDELOCK_BROKER_ADMISSION_ADMISSION_H

#include "broker/core/connections.h"
#include "broker/core/denials.h"
#include "broker/core/surfaces.h"
#include "broker/core/tickets.h"
#include "broker/core/workers.h"
#include "store/store.h"
#include "system/audit.h"

#include <uv.h>

/* All borrowed. */
struct admission {
    const struct surfaces *surfaces;
    struct store *store;
    struct audit *audit;
    struct tickets *tickets, *login_codes;
    struct connections *connections;
    struct denials *denials;
    struct workers *workers;
    uv_loop_t *loop;
    /* prepare.c: what waits for the service's answer. */
    struct prepare *preparing;
    size_t preparing_count;
};

#endif
