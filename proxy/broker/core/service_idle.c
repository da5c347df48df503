#include "broker/core/service_idle.h"

#include "broker/core/service_wish.h"

static bool is_used(const struct gate *gate, const struct service_dials *dials,
                    const struct surface_state *surface)
{
    struct quota_holder holder = quota_surface(surfaces_index(&gate->surfaces, surface));

    return service_dials_waits(dials, surface) ||
           quota_held(gate->quotas, QUOTA_SURFACE_QUESTIONS, holder) > 0 ||
           quota_held(gate->quotas, QUOTA_SURFACE_LINKS, holder) > 0 ||
           connections_of_surface(&gate->connections, surface) > 0;
}

bool service_idle_watched(const struct surface_state *surface)
{
    return service_is_wanted(surface) && service_is_on_demand(surface) &&
           surface->config->command.idle_stop_s > 0 && surface->service.asked &&
           !surface->service.ending && surface->service.state != SERVICE_STARTING;
}

bool service_idle_passed(const struct gate *gate, const struct service_dials *dials,
                         struct surface_state *surface)
{
    struct surface_service *service = &surface->service;
    uint64_t now = uv_now(&gate->loop);

    if (is_used(gate, dials, surface)) {
        service->idle_since_ms = 0;
        return false;
    }
    if (service->idle_since_ms == 0)
        service->idle_since_ms = now;
    return now - service->idle_since_ms >= surface->config->command.idle_stop_s * UINT64_C(1000);
}
