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

/* ERROR_NOT_FOUND: nobody; ERROR_DENIED, ERROR_IO; each with one sentence. */
static enum error look_listener(const struct neighbour *neighbour, uint32_t *inode,
                                char why[WHY_SIZE])
{
    struct neighbours *all = neighbour->all;
    enum error error = OK;
    uint32_t uid = 0;

    *inode = 0;
    if (all->lookup == NULL)
        error = caller_lookup_create(&all->lookup);
    if (error == OK)
        error = caller_listener(all->lookup, &neighbour->address.base, &uid, inode);
    if (error == OK)
        return trusted_listener(&neighbour->trust, neighbour->text, uid, why);
    if (error == ERROR_NOT_FOUND)
        return error_explain(why, error, "Nobody listens at %.64s.", neighbour->text);
    return error_explain(why, ERROR_IO, "The kernel cannot be asked who listens at %.64s.",
                         neighbour->text);
}

static void serve(struct neighbour *neighbour, enum error error, const char *why)
{
    neighbour->listens = error == OK || error == ERROR_DENIED;
    enter(neighbour, SERVICE_READY, error == OK ? "" : why);
}

/* ---- Whether its port is open elsewhere ---- */

static void on_look(uv_timer_t *timer);

/* What was found holds for who listened all the while. */
static bool is_same(struct neighbour *neighbour, enum error *error, char why[WHY_SIZE])
{
    uint32_t inode;

    *error = look_listener(neighbour, &inode, why);
    neighbour->seen = neighbour->looking;
    return inode == neighbour->looking;
}

/* Whose listener it is, who may be another process than the service. */
static enum error tell_where(struct neighbour *neighbour, const union address *where,
                             char why[WHY_SIZE])
{
    char address[VACANCY_ADDRESS_SIZE], text[VACANCY_ADDRESS_SIZE + sizeof(" (uid 4294967295)")];
    uint32_t uid, inode;

    vacancy_print(where, address);
    if (neighbour->all->lookup != NULL &&
        caller_listener(neighbour->all->lookup, &where->base, &uid, &inode) == OK)
        snprintf(text, sizeof(text), "%s (uid %u)", address, uid);
    else
        snprintf(text, sizeof(text), "%s", address);
    return exposure_tell(&neighbour->service, text, why);
}

/* What is lacking may be there again: nobody is cut for the first time, and nothing is proven. */
static void doubt(struct neighbour *neighbour)
{
    char why[WHY_SIZE];

    (void)exposure_tell(&neighbour->service, NULL, why);
    neighbour->listens = false; /* it is not of whoever listens */
    enter(neighbour,
          neighbour->state == SERVICE_READY && !neighbour->doubted ? SERVICE_READY
                                                                   : SERVICE_EXPOSED,
          why);
    neighbour->doubted = true;
}

static void conclude(struct neighbour *neighbour, uint64_t *pause_ms)
{
    char why[WHY_SIZE] = "";
    enum error error = exposure_look_devices(&neighbour->service, neighbour->shared, why);

    if (error != OK) {
        enter(neighbour, SERVICE_EXPOSED, why);
    } else if (is_same(neighbour, &error, why)) {
        serve(neighbour, error, why);
    } else {
        enter(neighbour, SERVICE_STARTING, "");
        *pause_ms = NEIGHBOUR_AGAIN_MS;
    }
}

static void on_proven(void *data, enum error error, const union address *where)
{
    struct neighbour *neighbour = data;
    uint64_t pause_ms = NEIGHBOUR_LOOK_MS;
    char why[WHY_SIZE];

    neighbour->vacancy = NULL;
    if (error == OK || error == ERROR_DENIED)
        neighbour->doubted = false;
    if (error == OK)
        conclude(neighbour, &pause_ms);
    else if (error == ERROR_DENIED && tell_where(neighbour, where, why) != OK)
        enter(neighbour, SERVICE_EXPOSED, why);
    else
        doubt(neighbour);
    tell_proven(neighbour);
    uv_timer_start(&neighbour->timer, on_look, pause_ms, 0);
}

/* Without memory it is not known, and tried again. */
static void look(struct neighbour *neighbour)
{
    const struct vacancy_subject subject = {neighbour->all->bundle->config, neighbour->port, true};
    char why[WHY_SIZE];

    uv_timer_stop(&neighbour->timer);
    (void)look_listener(neighbour, &neighbour->looking, why);
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
    neighbour->shared = surface->upstream_namespace == NAMESPACE_SHARED;
    neighbour->dial_patience_ms = dialling_patience_ms(surface);
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
    error = errno == EACCES ? EPERM : errno; /* that is of an executable, from a launcher */
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

/* Of who began to listen since the last look nothing is known. */
static void look_anew(struct neighbour *neighbour)
{
    enter(neighbour, SERVICE_STARTING, "");
    if (neighbour->vacancy == NULL)
        look(neighbour);
}

void neighbour_dial(struct neighbour *neighbour, dial_done *done, void *data)
{
    char why[WHY_SIZE] = "";
    uint32_t inode = 0;
    enum error error;

    if (neighbour->state != SERVICE_READY) {
        done(data, -1, ECONNREFUSED);
        return;
    }
    error = look_listener(neighbour, &inode, why);
    if (error == OK && inode == neighbour->seen) {
        begin_call(neighbour, inode, done, data);
        return;
    }
    if (error == OK)
        look_anew(neighbour);
    else
        serve(neighbour, error, why);
    done(data, -1, error == ERROR_DENIED ? ERRAND_STRANGER : ECONNREFUSED);
}
