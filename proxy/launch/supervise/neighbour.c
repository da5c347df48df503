#include "launch/supervise/neighbour.h"

#include "base/log.h"
#include "setup/exposure.h"
#include "system/trusted_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- What is told ---- */

static void enter(struct neighbour *neighbour, enum service_state state, const char *why)
{
    if (neighbour->state == state && strcmp(neighbour->why, why) == 0)
        return;
    if (why[0] != '\0')
        log_error("surface %s: %s", neighbour->name, why);
    else if (state == SERVICE_READY)
        log_info("surface %s: its service's port %u is open at no address but loopback",
                 neighbour->name, neighbour->port);
    neighbour->state = state;
    if (why != neighbour->why)
        snprintf(neighbour->why, sizeof(neighbour->why), "%s", why);
    neighbour->all->changed(neighbour->all->context, neighbour);
}

static void tell_proven(struct neighbour *neighbour)
{
    if (!neighbour->proof_asked)
        return;
    neighbour->proof_asked = false;
    neighbour->all->proven(neighbour->all->context, neighbour);
}

/* ---- Who listens ---- */

/* ERROR_NOT_FOUND: nobody; ERROR_DENIED with one sentence. */
static enum error look_listener(struct neighbour *neighbour, uint32_t *inode, char why[WHY_SIZE])
{
    char where[VACANCY_ADDRESS_SIZE];
    uint32_t uid;
    enum error error =
        caller_listener(neighbour->all->lookup, &neighbour->address.base, &uid, inode);

    if (error != OK)
        return error;
    vacancy_print(&neighbour->address, where);
    return trusted_listener(&neighbour->trust, where, uid, why);
}

static void serve(struct neighbour *neighbour)
{
    char why[WHY_SIZE] = "";
    uint32_t inode = 0;

    if (look_listener(neighbour, &inode, why) != ERROR_DENIED)
        why[0] = '\0';
    enter(neighbour, SERVICE_READY, why);
}

/* ---- Whether its port is open elsewhere ---- */

static void on_look(uv_timer_t *timer);

static void on_proven(void *data, const char *found)
{
    struct neighbour *neighbour = data;
    char why[WHY_SIZE];
    enum error error;

    neighbour->vacancy = NULL;
    if (found[0] != '\0')
        error = exposure_tell(&neighbour->service, found, why);
    else
        error = exposure_look_devices(&neighbour->service, why);
    if (error != OK)
        enter(neighbour, SERVICE_EXPOSED, why);
    else
        serve(neighbour);
    tell_proven(neighbour);
    uv_timer_start(&neighbour->timer, on_look, NEIGHBOUR_LOOK_MS, 0);
}

/* Without memory it is not known, and tried again. */
static void look(struct neighbour *neighbour)
{
    const struct vacancy_subject subject = {neighbour->all->bundle->config, neighbour->port, true};

    uv_timer_stop(&neighbour->timer);
    neighbour->vacancy =
        vacancy_begin(neighbour->all->diallings->loop, &subject, on_proven, neighbour);
    if (neighbour->vacancy != NULL)
        return;
    enter(neighbour, SERVICE_EXPOSED, "Nothing is known of its port: out of memory.");
    tell_proven(neighbour);
    uv_timer_start(&neighbour->timer, on_look, NEIGHBOUR_LOOK_MS, 0);
}

static void on_look(uv_timer_t *timer)
{
    look(timer->data);
}

void neighbour_prove(struct neighbour *neighbour)
{
    neighbour->proof_asked = true;
    if (neighbour->vacancy == NULL)
        look(neighbour);
}

/* ---- The beginning and the end ---- */

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void neighbour_drop(struct neighbour *neighbour)
{
    vacancy_cancel(neighbour->vacancy);
    neighbour->vacancy = NULL;
    uv_close((uv_handle_t *)&neighbour->timer, on_closed);
}

void neighbour_end(struct neighbour *neighbour)
{
    tell_proven(neighbour);
    enter(neighbour, SERVICE_GONE, "");
    neighbour_drop(neighbour);
}

static void note_address(struct neighbour *neighbour, const struct surface *surface)
{
    const struct listen_address *from = &surface->upstream_tcp;

    snprintf(neighbour->host, sizeof(neighbour->host), "%s", from->host);
    snprintf(neighbour->text, sizeof(neighbour->text), "%s", from->text);
    neighbour->service = *from;
    neighbour->service.host = neighbour->host;
    neighbour->service.text = neighbour->text;
    neighbour->port = from->port;
    neighbour->dial_patience_ms = surface->limits.upstream_timeout_ms;
    exposure_address(from, &neighbour->address.storage);
}

enum error neighbour_begin(struct neighbours *all, uint32_t slot, const char *name,
                           struct neighbour **out)
{
    const struct surface *surface = config_surface(all->bundle->config, name);
    struct neighbour *neighbour;
    char why[WHY_SIZE];

    if (surface == NULL || surface->upstream_tcp.host == NULL)
        return ERROR_INVALID;
    if (all->lookup == NULL && caller_lookup_create(&all->lookup) != OK)
        return ERROR_IO;
    neighbour = calloc(1, sizeof(*neighbour));
    if (neighbour == NULL)
        return ERROR_MEMORY;
    neighbour->all = all;
    neighbour->slot = slot;
    neighbour->state = SERVICE_STARTING;
    snprintf(neighbour->name, sizeof(neighbour->name), "%s", name);
    note_address(neighbour, surface);
    if (trusted_upstream(surface, &neighbour->trust, why) != OK)
        log_error("surface %s: %s", name, why); /* then nobody else is trusted */
    uv_timer_init(all->diallings->loop, &neighbour->timer);
    neighbour->timer.data = neighbour;
    uv_timer_start(&neighbour->timer, on_look, 0, 0);
    *out = neighbour;
    return OK;
}

/* ---- Connections ---- */

struct call {
    struct neighbours *all;
    union address address;
    dial_done *done;
    void *data;
    uint32_t inode; /* of whoever listened before */
};

/* Whoever accepted is who listened before and listens after. */
static void on_connected(void *data, int fd, int error)
{
    struct call *call = data;
    uint32_t uid, inode = 0;

    if (fd >= 0 && (caller_listener(call->all->lookup, &call->address.base, &uid, &inode) != OK ||
                    inode != call->inode)) {
        close(fd);
        fd = -1;
        error = ECONNREFUSED;
    }
    call->done(call->data, fd, error);
    free(call);
}

static int open_to(const union address *address)
{
    int fd = socket(address->base.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error;

    if (fd < 0 || connect(fd, &address->base, address_length(address)) == 0 || errno == EINPROGRESS)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void begin_call(struct neighbour *neighbour, uint32_t inode, dial_done *done, void *data)
{
    struct call *call = malloc(sizeof(*call));
    int fd = call != NULL ? open_to(&neighbour->address) : -1;

    if (fd < 0) {
        done(data, -1, call != NULL ? errno : ENOMEM);
        free(call);
        return;
    }
    *call = (struct call){neighbour->all, neighbour->address, done, data, inode};
    dialling_finish(&(struct dialling_order){neighbour->all->diallings, on_connected, call,
                                             neighbour->dial_patience_ms},
                    fd);
}

void neighbour_dial(struct neighbour *neighbour, dial_done *done, void *data)
{
    char why[WHY_SIZE] = "";
    uint32_t inode = 0;
    enum error error = ERROR_NOT_FOUND;

    if (neighbour->state == SERVICE_READY)
        error = look_listener(neighbour, &inode, why);
    if (error == OK) {
        begin_call(neighbour, inode, done, data);
        return;
    }
    if (error == ERROR_DENIED)
        enter(neighbour, SERVICE_READY, why);
    done(data, -1, error == ERROR_DENIED ? EPERM : ECONNREFUSED);
}
