#include "config/config.h"

#include <string.h>

const char *config_route_host(const struct route *route, const char *client_host)
{
    if (route->host == HOST_UPSTREAM_PUBLIC && client_host != NULL)
        return client_host;
    return route->host == HOST_UPSTREAM_FIXED ? route->host_fixed : "localhost";
}

const struct surface *config_surface(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (strcmp(config->surfaces[i].name, name) == 0)
            return &config->surfaces[i];
    }
    return NULL;
}
