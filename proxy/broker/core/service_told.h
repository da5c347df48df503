/* What the launcher tells of a service that has no answer: it is noted, and logged. Used by
 * services.c. */
#pragma once

#include "broker/core/gate.h"
#include "ipc/errand.h"

/* EXITED, LIMIT, PROCESSES, REFUSED, SIGHT. ERROR_SYNTAX: none of them. */
enum error service_told(struct gate *gate, struct surface_state *surface,
                        const struct errand *errand) MUST_CHECK;
