/* Reads where metrics can be read ("telemetry"), for load.c. */
#include "config/reading.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What begins like a path is one of a socket; anything else an address. */
static bool is_path(const char *text)
{
    return text != NULL && (*text == '/' || *text == '~' || *text == '$');
}

static void read_listen(struct json_reader *reader, json_t *value, void *into)
{
    struct config_telemetry *telemetry = into;

    if (is_path(json_string_value(value)))
        telemetry->socket = json_reader_expanded(reader, value, config_expand_text,
                                                 config_check_socket, CONFIG_SOCKET_BYTES_MAX);
    else
        config_listen_read(reader, value, &telemetry->listen);
}

static void clear_listen(void *value)
{
    struct config_telemetry *telemetry = value;

    free(telemetry->socket);
    config_listen_clear(&telemetry->listen);
}

static const struct json_key telemetry_keys[] = {
    /* First, as "listen" is read into the whole. */
    ROW_CUSTOM("listen", read_listen, .offset = 0, .required = true, .clear = clear_listen),
    ROW_FLAG("allow_non_loopback", struct config_telemetry, allow_non_loopback),
    ROW_TEXTS("hosts", struct config_telemetry, hosts, config_check_host, 1, CONFIG_HOSTS_MAX),
};
const struct json_table config_telemetry_table = JSON_TABLE("\"telemetry\"", telemetry_keys);

static void check_address(struct json_reader *reader, const struct config *config)
{
    const struct config_telemetry *telemetry = &config->telemetry;
    const struct listen_address *address = &telemetry->listen;

    if (!address->loopback && !telemetry->allow_non_loopback)
        json_reader_fault_at(reader, "telemetry/listen",
                             "\"%.64s\" is not a loopback address; to be read there by whoever can "
                             "reach it, \"telemetry\" must say \"allow_non_loopback\": true.",
                             address->text);
    for (size_t i = 0; i < config->surface_count && address->port != 0; i++) {
        const struct surface *surface = &config->surfaces[i];

        for (size_t j = 0; j < surface->listen_count; j++) {
            const struct listen_address *other = &surface->listen[j];

            if (other->host != NULL && other->port == address->port &&
                config_listen_overlap(address, other))
                json_reader_fault_at(reader, "telemetry/listen",
                                     "Port %u is already the surface \"%.64s\"'s.",
                                     (unsigned)address->port, surface->name);
        }
    }
}

static void check_socket(struct json_reader *reader, const struct config *config)
{
    const char *path = config->telemetry.socket;

    if (config->control_socket != NULL && strcmp(path, config->control_socket) == 0)
        json_reader_fault_at(reader, "telemetry/listen",
                             "\"%.64s\" is Sidelock's own control socket.", path);
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];

        if (surface->upstream_socket != NULL && strcmp(path, surface->upstream_socket) == 0)
            json_reader_fault_at(reader, "telemetry/listen",
                                 "\"%.64s\" is the socket of the surface \"%.64s\"'s service.",
                                 path, surface->name);
    }
}

void config_telemetry_finish(struct json_reader *reader, const struct config *config)
{
    if (config->telemetry.listen.host != NULL)
        check_address(reader, config);
    if (config->telemetry.socket != NULL)
        check_socket(reader, config);
}
