/* The running gate: everything that the broker holds. The rooms above borrow it. */
#pragma once

#include "broker/core/connections.h"
#include "broker/core/denials.h"
#include "broker/core/surfaces.h"
#include "broker/core/tickets.h"
#include "policy/quota.h"
#include "store/store.h"
#include "system/audit.h"

#include <uv.h>

struct workers;
struct waiting;

struct gate {
    struct surfaces surfaces;
    struct store *store;
    struct audit *audit;
    char audit_path[4096]; /* <state_dir>/audit.jsonl */
    struct tickets tickets, login_codes;
    struct connections connections;
    struct denials denials;
    struct quotas *quotas; /* what sessions and surfaces have of the broker */
    struct workers *workers;
    int64_t started_at;
    uv_loop_t loop;
    /* admission/waiting.c: questions that are not answered yet. */
    struct waiting *waiting;
    size_t waiting_count;
};
