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

/* A listener of IPv6 takes no IPv4 (IPV6_V6ONLY). */
bool config_listen_takes(const struct listen_address *listen, const char *host)
{
    static const char *const every[] = {"0.0.0.0", "::"};
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    const bool v6 = strchr(host, ':') != NULL;

    if (strcmp(listen->host, "localhost") == 0)
        return strcmp(loopback[v6], host) == 0;
    return strcmp(listen->host, host) == 0 || strcmp(listen->host, every[v6]) == 0;
}

static bool is_listen(const struct listen_address *listen, const char *host, uint16_t port)
{
    return listen->host != NULL && listen->port == port && config_listen_takes(listen, host);
}

bool config_listens_at(const struct config *config, const char *host, uint16_t port)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];

        for (size_t j = 0; j < surface->listen_count; j++) {
            if (is_listen(&surface->listen[j], host, port))
                return true;
        }
    }
    return is_listen(&config->telemetry.listen, host, port);
}
