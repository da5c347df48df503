/* Reads the addresses that surfaces listen on, for surface.c, and compares them, for load.c. */
#include "config/reading.h"

#include "wire/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_DIGITS_MAX 5

/* Cuts "host:port" or "[host]:port" in place; NULL: neither. */
static char *split_port(char **host, uint16_t *port)
{
    char *text = *host, *colon = strrchr(text, ':');
    uint64_t number;

    if (colon == NULL || !text_number(span_of(colon + 1), PORT_DIGITS_MAX, &number) ||
        (colon[1] == '0' && colon[2] != '\0') || number > UINT16_MAX)
        return NULL;
    *port = (uint16_t)number;
    *colon = '\0';
    if (*text == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        *host = text + 1;
        return strchr(*host, ':') != NULL ? *host : NULL;
    }
    return strchr(text, ':') == NULL ? text : NULL;
}

/* "fd00:0::5" and "fd00::5" are one address: it is written as the kernel writes it. */
static char *copy_host(struct json_reader *reader, const char *host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;

    if (inet_pton(AF_INET6, host, &address) == 1 &&
        inet_ntop(AF_INET6, &address, text, sizeof(text)) != NULL)
        return json_reader_copy(reader, text);
    return json_reader_copy(reader, host);
}

void config_listen_read(struct json_reader *reader, struct json_t *value, void *into)
{
    struct listen_address *address = into;
    char *copy, *host;
    bool valid;

    address->text = json_reader_text(reader, value, json_check_word, CONFIG_NAME_BYTES_MAX);
    if (address->text == NULL)
        return;
    host = copy = json_reader_copy(reader, address->text);
    if (copy == NULL)
        return;
    address->loopback = true;
    valid = split_port(&host, &address->port) != NULL &&
            (strcmp(host, "localhost") == 0 || host_is_address(host, &address->loopback));
    if (!valid)
        json_reader_fault(reader,
                          "\"%.64s\" must be an address with a port, like \"localhost:8081\", "
                          "\"127.0.0.1:8081\" or \"[::1]:8081\".",
                          address->text);
    else
        address->host = copy_host(reader, host);
    free(copy);
}

void config_listen_read_upstream(struct json_reader *reader, struct json_t *value, void *into)
{
    struct listen_address *address = into;
    char *copy, *host;
    bool loopback = false;

    address->text = json_reader_text(reader, value, json_check_word, CONFIG_NAME_BYTES_MAX);
    host = copy = address->text != NULL ? json_reader_copy(reader, address->text) : NULL;
    if (copy == NULL)
        return;
    if (split_port(&host, &address->port) == NULL || address->port == 0 ||
        !host_is_address(host, &loopback) || !loopback)
        json_reader_fault(reader,
                          "\"%.64s\" must be a loopback address with a port, like "
                          "\"127.0.0.1:8081\" or \"[::1]:8081\".",
                          address->text);
    else
        address->host = copy_host(reader, host);
    address->loopback = true;
    free(copy);
}

void config_listen_check_loopback(struct json_reader *reader, const struct surface *surface)
{
    for (size_t i = 0; i < surface->listen_count && !surface->allow_non_loopback; i++) {
        const struct listen_address *address = &surface->listen[i];
        char place[32];

        snprintf(place, sizeof(place), "listen/%zu", i);
        if (address->host != NULL && !address->loopback)
            json_reader_fault_at(reader, place,
                                 "\"%.64s\" is not a loopback address; to listen there the surface "
                                 "must say \"allow_non_loopback\": true.",
                                 address->text);
    }
}

bool config_listen_overlap(const struct listen_address *left, const struct listen_address *right)
{
    bool names = strcmp(left->host, "localhost") == 0 || strcmp(right->host, "localhost") == 0;

    return strcmp(left->host, right->host) == 0 || (names && left->loopback && right->loopback);
}

static void check_port(struct json_reader *reader, const struct surface *surface, size_t index,
                       const struct surface *earlier, size_t earlier_count)
{
    const struct listen_address *address = &surface->listen[index];

    for (size_t i = 0; i < earlier_count; i++) {
        const struct listen_address *other = &earlier->listen[i];

        if (address->host == NULL || other->host == NULL || address->port == 0 ||
            address->port != other->port)
            continue;
        if (earlier != surface)
            json_reader_fault(reader, "Port %u is already the surface \"%.64s\"'s.",
                              (unsigned)address->port, earlier->name);
        else if (config_listen_overlap(address, other))
            json_reader_fault(reader, "\"%.64s\" is already covered by \"%.64s\".", address->text,
                              other->text);
    }
}

/* Whether whoever connects there comes to the gate. */
static bool takes(const struct listen_address *listen, const struct listen_address *service)
{
    return listen->host != NULL && service->host != NULL && listen->port == service->port &&
           config_listen_takes(listen, service->host);
}

/* A gate that dials itself serves nobody. */
static void check_service(struct json_reader *reader, const struct config *config,
                          const struct surface *surface)
{
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *other = &config->surfaces[i];

        for (size_t j = 0; j < other->listen_count; j++) {
            if (takes(&other->listen[j], &surface->upstream_tcp))
                json_reader_fault_at(reader, "upstream/tcp",
                                     "At \"%.64s\" the gate itself listens, for the surface "
                                     "\"%.64s\": give it another port.",
                                     surface->upstream_tcp.text, other->name);
        }
    }
    if (takes(&config->telemetry.listen, &surface->upstream_tcp))
        json_reader_fault_at(reader, "upstream/tcp",
                             "At \"%.64s\" the gate itself listens, for \"telemetry\": give it "
                             "another port.",
                             surface->upstream_tcp.text);
}

void config_listen_check_ports(struct json_reader *reader, const struct config *config)
{
    size_t top = json_reader_enter(reader, "surfaces");

    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];
        size_t outer, place;

        if (surface->name == NULL)
            continue;
        outer = json_reader_enter(reader, surface->name);
        check_service(reader, config, surface);
        json_reader_enter(reader, "listen");
        for (size_t j = 0; j < surface->listen_count; j++) {
            place = json_reader_enter_index(reader, j);
            for (size_t k = 0; k < i; k++)
                check_port(reader, surface, j, &config->surfaces[k],
                           config->surfaces[k].listen_count);
            check_port(reader, surface, j, surface, j);
            json_reader_leave(reader, place);
        }
        json_reader_leave(reader, outer);
    }
    json_reader_leave(reader, top);
}

void config_listen_clear(void *value)
{
    struct listen_address *address = value;

    free(address->text);
    free(address->host);
}
