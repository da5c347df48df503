#include "config/config.h"

#include <stdio.h>
#include <string.h>

const char *config_route_host(const struct route *route, const char *client_host, uint16_t port,
                              char room[CONFIG_LOCALHOST_SIZE])
{
    if (route->host.kind == HOST_UPSTREAM_PUBLIC && client_host != NULL)
        return client_host;
    if (route->host.kind == HOST_UPSTREAM_FIXED)
        return route->host.fixed;
    if (route->host.kind == HOST_UPSTREAM_LOCALHOST)
        return "localhost";
    snprintf(room, CONFIG_LOCALHOST_SIZE, "localhost:%u", port);
    return room;
}

size_t config_connections(const struct config *config)
{
    size_t sum = 0;

    for (size_t i = 0; i < config->surface_count; i++)
        sum += config->surfaces[i].limits.max_connections;
    return sum;
}

const struct surface *config_surface(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (strcmp(config->surfaces[i].name, name) == 0)
            return &config->surfaces[i];
    }
    return NULL;
}

bool config_names_programs(const struct config *config)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        if (config->surfaces[i].note_executable || config->surfaces[i].caller_executables.count > 0)
            return true;
    }
    return false;
}
