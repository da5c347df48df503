#include "worker/client/host_hint.h"

#include "base/log.h"

#define INTERVAL_MS 60000 /* of a surface */

void host_hint(const struct connection *connection, unsigned status, const char *host)
{
    struct surface_counts *surface = &connection->worker->surfaces[connection->surface_index];
    const uint64_t now_ms = worker_now_ms(connection->worker);

    if (status != 421 && (status != 403 || connection->route->kind == ROUTE_HTTP))
        return;
    if (surface->host_told_ms != 0 && now_ms - surface->host_told_ms < INTERVAL_MS)
        return;
    surface->host_told_ms = now_ms;
    log_warning("surface %s: the service answered %u; if it does so to every request, it does not "
                "take the Host %s, and \"host\" in the configuration says another",
                connection->surface->name, status, host);
}
