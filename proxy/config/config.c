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

static bool is_listen(const struct listen_address *listen, const char *host)
{
    bool v6 = strchr(host, ':') != NULL;

    if (strcmp(listen->host, "localhost") == 0)
        return strcmp(host, v6 ? "::1" : "127.0.0.1") == 0;
    return strcmp(listen->host, host) == 0 || strcmp(listen->host, v6 ? "::" : "0.0.0.0") == 0;
}

bool config_listens_at(const struct config *config, const char *host, uint16_t port)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];

        for (size_t j = 0; j < surface->listen_count; j++) {
            if (surface->listen[j].port == port && is_listen(&surface->listen[j], host))
                return true;
        }
    }
    return false;
}
