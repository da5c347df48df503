#include "broker/core/surfaces.h"

#include "base/log.h"
#include "broker/core/opener.h"
#include "config/load.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BIND_PATIENCE_MS 2000 /* the workers of one that was killed let go of the port soon */
#define BIND_RETRY_MS    20

enum error surfaces_make(struct surface *config, struct surface_state *out, char why[WHY_SIZE])
{
    struct trust trust;
    enum error error = trusted_upstream(config, &trust, why);

    *out = (struct surface_state){.config = config,
                                  .upstream = TRUSTED_WAY(config->upstream_socket, trust)};
    if (error != OK)
        return error;
    out->listeners = calloc(2 * config->listen_count, sizeof(*out->listeners));
    return out->listeners != NULL ? OK : error_explain(why, ERROR_MEMORY, "out of memory");
}

enum error surfaces_create(struct config *config, struct surfaces *out)
{
    enum error result = OK;

    *out =
        (struct surfaces){.config = config,
                          .items = calloc(CONFIG_SLOTS_MAX, sizeof(*out->items)),
                          .count = config->surface_count,
                          .connections_max = config_connections(config) + CONFIG_CONNECTIONS_ROOM};
    if (out->items == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < config->surface_count; i++) {
        struct surface *surface = &config->surfaces[i];
        char why[WHY_SIZE];
        enum error error = surfaces_make(surface, &out->items[i], why);

        out->live[i] = &out->items[i];
        if (error != OK) {
            log_error("surface %s: %s", surface->name, why);
            result = error;
        }
    }
    return result;
}

void surfaces_print_address(const struct listener *listener, char out[SURFACE_ADDRESS_SIZE])
{
    snprintf(out, SURFACE_ADDRESS_SIZE,
             strchr(listener->address, ':') != NULL ? "[%.45s]:%u" : "%.45s:%u", listener->address,
             listener->port);
}

struct surface_listener *surfaces_add_listener(struct surface_state *surface, size_t index,
                                               const struct listener *opened)
{
    struct surface_listener *added = &surface->listeners[surface->listener_count++];

    added->address_index = (uint16_t)index;
    added->fd = opened->fd;
    added->port = opened->port;
    memcpy(added->host, opened->address, sizeof(added->host));
    surfaces_print_address(opened, added->address);
    return added;
}

/* A TCP socket that does not listen itself. */
static bool is_stream(int fd)
{
    int protocol = 0, listens = 1;
    socklen_t size = sizeof(protocol);

    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
           protocol == IPPROTO_TCP &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens == 0;
}

/* Of the same family, and bound to it, or to all. */
static bool is_at(const struct surface_listener *listener, const struct listener *accepted)
{
    bool v6 = strchr(accepted->address, ':') != NULL;

    return listener->port == accepted->port && (strcmp(listener->host, accepted->address) == 0 ||
                                                strcmp(listener->host, v6 ? "::" : "0.0.0.0") == 0);
}

const struct surface_listener *surfaces_accepted(const struct surface_state *surface, int fd)
{
    struct listener accepted = {.fd = fd};

    if (!is_stream(fd) || listener_describe(&accepted) != OK)
        return NULL;
    for (size_t i = 0; i < surface->listener_count; i++) {
        if (is_at(&surface->listeners[i], &accepted))
            return &surface->listeners[i];
    }
    return NULL;
}

static enum error open_address(struct surface_state *surface, struct opener *opener, size_t index)
{
    const struct listen_address *address = &surface->config->listen[index];
    struct timespec pause = {.tv_nsec = BIND_RETRY_MS * 1000000L};
    struct listener opened[2];
    bool both = strcmp(address->host, LISTENER_BOTH) == 0;
    size_t count = 0;
    char why[WHY_SIZE];
    enum error error = ERROR_EXISTS;

    for (unsigned waited = 0; error == ERROR_EXISTS && waited < BIND_PATIENCE_MS;
         waited += BIND_RETRY_MS) {
        error = opener_listen(opener, surface->config, index, opened, &count, why);
        if (error == ERROR_EXISTS)
            nanosleep(&pause, NULL);
    }
    if (error != OK) {
        log_error("surface %s: %s", surface->config->name, why);
        return error;
    }
    for (size_t i = 0; i < count; i++)
        surfaces_add_listener(surface, index, &opened[i])->alone = count == 1 && both;
    if (count == 1 && both)
        log_warning("surface %s: this host has no %s, so it listens on %s port %u alone; it is "
                    "bound as soon as there is one",
                    surface->config->name, LISTENER_V6, LISTENER_V4, opened[0].port);
    return OK;
}

enum error surfaces_open_missing(struct surface_state *surface, struct opener *opener,
                                 struct surface_listener *alone,
                                 const struct surface_listener **out)
{
    struct listener opened;
    char why[WHY_SIZE];
    enum error error = opener_listen_missing(opener, surface->config, alone->port, &opened, why);

    if (error == OK) {
        alone->alone = alone->told = false;
        *out = surfaces_add_listener(surface, alone->address_index, &opened);
        log_info("surface %s listens on %s, too", surface->config->name, (*out)->address);
    } else if (error != ERROR_NOT_FOUND && !alone->told) {
        alone->told = true;
        log_error("surface %s: %s", surface->config->name, why);
    }
    return error;
}

enum error surfaces_open(struct surfaces *surfaces, struct store *store, struct opener *opener)
{
    enum error error = OK;

    for (size_t i = 0; i < surfaces->count && error == OK; i++) {
        struct surface_state *surface = surfaces->live[i];

        error = store_surface_killed(store, surface->config->name, &surface->killed);
        for (size_t j = 0; error == OK && j < surface->config->listen_count; j++)
            error = open_address(surface, opener, j);
    }
    return error;
}

static void drop_files(struct tls_files *files)
{
    if (files != NULL)
        tls_files_clear(files);
    free(files);
}

/* Who came in by them is still known by their addresses. */
void surfaces_shut(struct surface_state *surface)
{
    for (size_t i = 0; i < surface->listener_count; i++) {
        if (surface->listeners[i].fd >= 0)
            close(surface->listeners[i].fd);
        surface->listeners[i].fd = -1;
    }
    drop_files(surface->tls);
    surface->tls = NULL;
}

void surfaces_unmake(struct surface_state *surface)
{
    if (surface->config == NULL)
        return;
    surfaces_shut(surface);
    free(surface->listeners);
    trusted_way_clear(&surface->upstream);
    if (surface->owned)
        config_free_surface(surface->config);
    *surface = (struct surface_state){.config = NULL};
}

void surfaces_clear(struct surfaces *surfaces)
{
    for (size_t i = 0; surfaces->items != NULL && i < CONFIG_SLOTS_MAX; i++)
        surfaces_unmake(&surfaces->items[i]);
    free(surfaces->items);
    surfaces->items = NULL;
    surfaces->count = 0;
}

static enum error load_files(const struct surfaces_certificates *read,
                             const struct surface *surface, struct tls_files **out,
                             char why[WHY_SIZE])
{
    struct tls_files *files = calloc(1, sizeof(*files));
    struct tls_files_fault fault;
    enum error error;

    if (files == NULL)
        return ERROR_MEMORY;
    error = opener_read_tls(read->opener, surface, read->now, files, &fault);
    if (error == OK) {
        *out = files;
        return OK;
    }
    if (error == ERROR_INVALID)
        error = error_explain(why, error, "surface %s: tls.%s: %s", surface->name, fault.member,
                              fault.text);
    free(files);
    return error;
}

void surfaces_read_certificates(struct surfaces_certificates *out)
{
    size_t count = out->config->surface_count;

    snprintf(out->why, sizeof(out->why), "the certificates cannot be held in memory");
    out->error = OK;
    for (size_t i = 0; i < count; i++) {
        const struct surface *surface = &out->config->surfaces[i];

        out->files[i] = NULL;
        if (out->error == OK && surface->tls != NULL)
            out->error = load_files(out, surface, &out->files[i], out->why);
    }
}

void surfaces_drop_certificates(struct surfaces_certificates *read)
{
    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++) {
        drop_files(read->files[i]);
        read->files[i] = NULL;
    }
}

enum error surfaces_keep_certificates(struct surfaces *surfaces, struct surfaces_certificates *read)
{
    for (size_t i = 0; read->error == OK && i < surfaces->count; i++) {
        struct tls_files **held = &surfaces->live[i]->tls, *before = *held;

        *held = read->files[i];
        read->files[i] = before;
    }
    surfaces_drop_certificates(read);
    return read->error;
}

enum error surfaces_load_certificates(struct surfaces *surfaces, struct opener *opener, int64_t now,
                                      char why[WHY_SIZE])
{
    struct surfaces_certificates read = {.config = surfaces->config, .opener = opener, .now = now};

    surfaces_read_certificates(&read);
    snprintf(why, WHY_SIZE, "%s", read.why);
    return surfaces_keep_certificates(surfaces, &read);
}

struct surface_state *surfaces_find(const struct surfaces *surfaces, const char *name)
{
    for (size_t i = 0; i < surfaces->count; i++) {
        if (strcmp(surfaces->live[i]->config->name, name) == 0)
            return surfaces->live[i];
    }
    return NULL;
}

struct surface_state *surfaces_at(const struct surfaces *surfaces, uint32_t index)
{
    bool is = index < CONFIG_SLOTS_MAX && surfaces->items[index].config != NULL;

    return is ? &surfaces->items[index] : NULL;
}
