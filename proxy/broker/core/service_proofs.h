/*
 * Who waits until the launcher has found out anew that services are behind the gate alone. All but
 * the first struct is services.c's.
 */
#pragma once

#include "broker/core/surfaces.h"

#include <uv.h>

#define SERVICES_PROOF_MS 6000 /* after which what is not proven again is not proven */

/*
 * That those which are served are behind the gate alone is to be found out anew. `done` is called
 * once, perhaps in this call, when it is: `state` and `proven_at` of each say what was found.
 */
struct services_proof {
    void (*done)(struct services_proof *proof);
    void *context; /* of the caller, whose memory it is until then */
    bool slots[CONFIG_SLOTS_MAX];
    size_t waiting; /* of these */
    struct services_proof *next;
};

struct launcher_line;

/* Of all services. Its handle is closed with the loop. */
struct service_proofs {
    struct surfaces *surfaces;
    struct launcher_line *line; /* NULL: there is no launcher to be asked */
    struct services_proof *first;
    uv_timer_t patience;
};

void service_proofs_init(struct service_proofs *proofs, uv_loop_t *loop, struct surfaces *surfaces);
/* Asks for all that are served, and tells at once where there is none. */
void service_proofs_add(struct service_proofs *proofs, struct services_proof *proof);
/* That of one surface is known, or will never be. */
void service_proofs_pass(struct service_proofs *proofs, const struct surface_state *surface);
/* The broker ends: all are told. */
void service_proofs_stop(struct service_proofs *proofs);
