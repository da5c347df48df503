/* Whether a service that is started on demand has been asked for by nobody for as long as it may.
 */
#pragma once

#include "broker/core/gate.h"
#include "broker/core/service_dials.h"

/* Whether that is to be looked at. */
bool service_idle_watched(const struct surface_state *surface);
/* Looks; true: that time has passed. Nobody is connected, is being admitted, or waits. */
bool service_idle_passed(const struct gate *gate, const struct service_dials *dials,
                         struct surface_state *surface);
