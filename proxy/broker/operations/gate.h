/* The running gate, as an operator may see and change it. */
#ifndef SIDELOCK_BROKER_OPERATIONS_GATE_H
#define SIDELOCK_BROKER_OPERATIONS_GATE_H

#include "broker/core/connections.h"
#include "broker/core/denials.h"
#include "broker/core/surfaces.h"
#include "broker/core/tickets.h"
#include "broker/core/workers.h"
#include "store/store.h"
#include "system/audit.h"

/* All borrowed. */
struct gate {
    struct surfaces *surfaces;
    struct store *store;
    struct audit *audit;
    const char *audit_path;
    struct tickets *tickets, *login_codes;
    const struct connections *connections;
    const struct denials *denials;
    struct workers *workers;
    int64_t started_at;
};

#endif
