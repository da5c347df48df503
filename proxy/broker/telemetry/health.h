/* Whether the gate serves: what /readyz, `sidelock health` and the metrics say. */
#pragma once

#include "base/unready.h"
#include "broker/core/gate.h"

/* A bit for each enum unready that holds; 0: it serves. */
uint32_t health_look(const struct gate *gate);
/* How many workers are up. */
unsigned health_workers(const struct gate *gate);
