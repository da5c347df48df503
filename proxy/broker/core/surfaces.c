#include "broker/core/surfaces.h"

#include "base/log.h"
#include "broker/core/opener.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BIND_PATIENCE_MS 2000 /* the workers of one that was killed let go of the port soon */
#define BIND_RETRY_MS    20

enum error surfaces_create(const struct config *config, struct surfaces *out)
{
    enum error result = OK;

    *out = (struct surfaces){config, calloc(config->surface_count, sizeof(*out->items))};
    if (out->items == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < config->surface_count; i++) {
        const struct surface *surface = &config->surfaces[i];
        char why[WHY_SIZE];
        struct trust trust;
        enum error error = trusted_upstream(surface, &trust, why);

        out->items[i].config = surface;
        out->items[i].upstream = TRUSTED_WAY(surface->upstream_socket, trust);
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

static struct surface_listener *add_listener(struct surface_state *surface,
                                             const struct listener *opened)
{
    struct surface_listener *added = &surface->listeners[surface->listener_count++];

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
        add_listener(surface, &opened[i])->alone = count == 1 && both;
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
        *out = add_listener(surface, &opened);
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

    for (size_t i = 0; i < surfaces->config->surface_count && error == OK; i++) {
        struct surface_state *surface = &surfaces->items[i];

        surface->listeners = calloc(2 * surface->config->listen_count, sizeof(*surface->listeners));
        if (surface->listeners == NULL)
            return ERROR_MEMORY;
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

void surfaces_clear(struct surfaces *surfaces)
{
    for (size_t i = 0; surfaces->items != NULL && i < surfaces->config->surface_count; i++) {
        struct surface_state *surface = &surfaces->items[i];

        for (size_t j = 0; j < surface->listener_count; j++)
            close(surface->listeners[j].fd);
        free(surface->listeners);
        trusted_way_clear(&surface->upstream);
        drop_files(surface->tls);
    }
    free(surfaces->items);
    surfaces->items = NULL;
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

enum error surfaces_keep_certificates(struct surfaces *surfaces, struct surfaces_certificates *read)
{
    for (size_t i = 0; i < surfaces->config->surface_count; i++) {
        struct tls_files **held = &surfaces->items[i].tls, *unwanted = read->files[i];

        if (read->error == OK) {
            unwanted = *held;
            *held = read->files[i];
        }
        drop_files(unwanted);
        read->files[i] = NULL;
    }
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
    const struct surface *found = config_surface(surfaces->config, name);

    return found != NULL ? &surfaces->items[found - surfaces->config->surfaces] : NULL;
}

struct surface_state *surfaces_at(const struct surfaces *surfaces, uint32_t index)
{
    return index < surfaces->config->surface_count ? &surfaces->items[index] : NULL;
}
