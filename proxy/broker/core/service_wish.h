/* Whether a service is to run, by what is in force and what was asked for. */
#pragma once

#include "broker/core/surfaces.h"

/* Whether it may. */
static inline bool service_is_permitted(const struct surface_state *surface)
{
    return surface->config != NULL && surface_needs_launcher(surface->config) &&
           !surface->leaving && !surface->killed;
}

static inline bool service_is_on_demand(const struct surface_state *surface)
{
    return surface->config->command.start == START_ON_DEMAND;
}

static inline bool service_is_wanted(const struct surface_state *surface)
{
    return service_is_permitted(surface) &&
           (!service_is_on_demand(surface) || surface->service.demanded);
}

/* What one is of which nothing is there. */
static inline enum service_state service_state_without(const struct surface_state *surface)
{
    if (service_is_wanted(surface))
        return SERVICE_STARTING;
    return service_is_permitted(surface) ? SERVICE_IDLE : SERVICE_GONE;
}

/* Whether who comes waits: for a connection, or until it is started. */
static inline bool service_is_waited_for(const struct surface_state *surface)
{
    return surface->service.state == SERVICE_READY || surface->service.state == SERVICE_STARTING ||
           (surface->service.ending && service_is_wanted(surface));
}

/* One that is ready, with nothing to be said against it. */
static inline bool service_is_true(const struct surface_state *surface)
{
    return surface->service.state == SERVICE_READY && surface->service.why[0] == '\0';
}
