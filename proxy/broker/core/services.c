#include "broker/core/services.h"

#include "base/log.h"
#include "broker/core/journal.h"
#include "broker/core/launcher_line.h"
#include "broker/core/service_fences.h"
#include "broker/core/service_idle.h"
#include "broker/core/service_log.h"
#include "broker/core/service_told.h"
#include "broker/core/service_wish.h"
#include "broker/core/visits.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END_PATIENCE_MS 5000 /* of a service whose surface has left */

struct services {
    struct gate *gate;
    struct surfaces *surfaces;
    struct launcher_line *line; /* NULL: there is none */
    int process;                /* the launcher's pidfd; -1: not given */
    uv_timer_t patience;
    struct service_dials dials;
    struct services_end *ends;
    struct service_restarts restarts;
    struct service_proofs proofs;
    struct visits visits;
    uv_timer_t idle, pause;
};

/* ---- Which are to run ---- */

static void set_state(struct surface_state *surface, enum service_state state, const char *why)
{
    surface->service.state = state;
    snprintf(surface->service.why, sizeof(surface->service.why), "%s", why);
}

static void begin(struct services *services, struct surface_state *surface)
{
    surface->service.asked = true;
    surface->service.ending = false;
    surface->service.idle_since_ms = 0;
    surface->service.not_before_ms = uv_now(&services->gate->loop) + SERVICES_PAUSE_MS;
    set_state(surface, SERVICE_STARTING, "");
    launcher_line_say(services->line,
                      &(struct errand){.kind = ERRAND_START,
                                       .place = surfaces_index(services->surfaces, surface),
                                       .text = surface->config->name});
}

static void end(struct services *services, struct surface_state *surface, uint32_t patience_ms)
{
    surface->service.ending = true;
    launcher_line_say(services->line,
                      &(struct errand){.kind = ERRAND_END,
                                       .place = surfaces_index(services->surfaces, surface),
                                       .number = patience_ms});
}

static void on_pause(uv_timer_t *timer)
{
    services_follow(timer->data);
}

/* One that ends by itself is not to be started as often as somebody asks. */
static bool pauses(struct services *services, const struct surface_state *surface)
{
    uint64_t now = uv_now(&services->gate->loop);

    if (!service_is_on_demand(surface) || now >= surface->service.not_before_ms)
        return false;
    if (!uv_is_active((uv_handle_t *)&services->pause))
        uv_timer_start(&services->pause, on_pause, surface->service.not_before_ms - now, 0);
    return true;
}

/* One that is wanted while there is no launcher, or pauses, is waited for. */
static void follow(struct services *services, struct surface_state *surface)
{
    bool wanted = service_is_wanted(surface);

    if (!surface->service.asked)
        set_state(surface, service_state_without(surface), "");
    if (services->line == NULL)
        return;
    if (wanted && !surface->service.asked && !pauses(services, surface))
        begin(services, surface);
    else if (!wanted && surface->service.asked && !surface->service.ending)
        end(services, surface, surface->killed ? 0 : END_PATIENCE_MS);
}

void services_follow(struct services *services)
{
    for (size_t i = 0; services != NULL && i < CONFIG_SLOTS_MAX; i++)
        follow(services, &services->surfaces->items[i]);
}

/* ---- Who waits for the end of some ---- */

/* A slot of which nothing is left is no longer meant: it may be another's before the last goes. */
static bool is_over(const struct services *services, struct services_end *one)
{
    bool over = true;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        one->slots[i] = one->slots[i] && services->surfaces->items[i].service.asked;
        over = over && !one->slots[i];
    }
    return over;
}

/* From the first again: `gone` may have begun another. */
static void tell_gone(struct services *services)
{
    struct services_end **at = &services->ends;

    while (*at != NULL) {
        struct services_end *one = *at;

        if (!is_over(services, one)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        one->gone(one, OK);
        at = &services->ends;
    }
    if (services->ends == NULL)
        uv_timer_stop(&services->patience);
}

static void on_patience(uv_timer_t *timer)
{
    const struct services *services = timer->data;

    if (services->ends == NULL || services->process < 0)
        return;
    log_error("the launcher does not end what was killed; it is ended, and its services with it");
    (void)syscall(SYS_pidfd_send_signal, services->process, SIGKILL, NULL, 0);
}

void services_kill(struct services *services, struct services_end *one)
{
    bool over = services == NULL || is_over(services, one);

    for (size_t i = 0; !over && services->line != NULL && i < CONFIG_SLOTS_MAX; i++) {
        if (one->slots[i])
            end(services, &services->surfaces->items[i], 0);
    }
    services_follow(services);
    if (over) {
        one->gone(one, OK);
        return;
    }
    one->next = services->ends;
    services->ends = one;
    uv_timer_start(&services->patience, on_patience, SERVICES_PATIENCE_MS, SERVICES_PATIENCE_MS);
}

/* ---- Started again ---- */

void services_restart(struct services *services, struct services_restart *one)
{
    struct surface_service *service = &one->surface->service;

    service->demanded = true;
    service->not_before_ms = 0;
    service_restarts_add(&services->restarts, one);
    if (one->gone)
        follow(services, one->surface);
    else if (services->line != NULL && !service->ending)
        end(services, one->surface, END_PATIENCE_MS);
}

/* ---- Proven again ---- */

void services_prove(struct services *services, struct services_proof *proof)
{
    service_proofs_add(&services->proofs, proof);
}

/* ---- Those that are started on demand ---- */

/* The next one who asks has it started again, also while it ends. */
static void stop_idle(struct services *services, struct surface_state *surface)
{
    surface->service.demanded = false;
    surface->service.idle_since_ms = 0;
    follow(services, surface);
}

static void on_idle(uv_timer_t *timer)
{
    struct services *services = timer->data;
    bool more = false;

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_state *surface = &services->surfaces->items[i];

        if (!service_idle_watched(surface))
            continue;
        more = true;
        if (!service_idle_passed(services->gate, &services->dials, surface))
            continue;
        service_log_idle(services->gate, surface);
        stop_idle(services, surface);
    }
    if (!more)
        uv_timer_stop(timer);
}

static void watch_idle(struct services *services, const struct surface_state *surface)
{
    if (service_idle_watched(surface) && !uv_is_active((uv_handle_t *)&services->idle))
        uv_timer_start(&services->idle, on_idle, SERVICES_IDLE_MS, SERVICES_IDLE_MS);
}

/* ---- Connections ---- */

void services_dial(struct services *services, struct surface_state *surface,
                   struct services_dial *dial)
{
    dial->at = NULL;
    if (service_is_permitted(surface) && service_is_on_demand(surface) &&
        !surface->service.demanded) {
        surface->service.demanded = true;
        follow(services, surface);
    }
    if (!service_is_waited_for(surface)) {
        dial->dialed(dial, services_late(surface), -1);
        return;
    }
    service_dials_add(&services->dials, surface, dial);
    if (dial->enters)
        service_dials_ask_entering(&services->dials, surface);
    else
        service_dials_ask(&services->dials, surface);
}

void services_forget(struct services *services, struct services_dial *dial)
{
    service_dials_forget(&services->dials, dial);
}

/* ---- What the launcher says ---- */

/* Nothing is left of it: another follows, unless it is to stay away. */
static void take_gone(struct services *services, struct surface_state *surface)
{
    surface->service.asked = surface->service.ending = false;
    surface->service.pid = 0;
    surface->service.processes = 0;
    surface->service.sight = SIGHT_NONE;
    proven_drop(&surface->service.program);
    surface->service.ports[0] = '\0';
    visits_remove_slot(&services->visits, surfaces_index(services->surfaces, surface));
    if (!service_is_permitted(surface))
        surface->service.demanded = false;
    if (!service_is_wanted(surface))
        service_dials_fail(&services->dials, surface);
    service_restarts_pass(&services->restarts, surface);
    tell_gone(services);
    follow(services, surface);
}

/* What listens by itself goes on when it is exposed, or another comes: who uses it is cut. */
static void look_at_neighbour(struct services *services, struct surface_state *surface,
                              enum service_state before, bool told)
{
    if (surface->config->upstream_tcp.host == NULL)
        return;
    if (surface->service.state == SERVICE_EXPOSED && before != SERVICE_EXPOSED)
        services->gate->exposed = surface->service.to_cut = true;
    /* It has no port where nobody listens, or it is not known who does. */
    if (surface->service.state == SERVICE_READY && surface->service.why[0] != '\0' &&
        surface->service.ports[0] != '\0' && !told)
        service_log_stranger(services->gate, surface);
}

static enum error take_service(struct services *services, struct surface_state *surface,
                               const struct errand *errand)
{
    enum service_state before = surface->service.state;
    bool told = strcmp(surface->service.why, errand->text) == 0;

    set_state(surface, (enum service_state)errand->number, errand->text);
    if (errand->number != before || !told)
        surface->service.proven_at = service_is_true(surface) ? clock_now() : 0;
    if (errand->number == SERVICE_STARTING && before != SERVICE_STARTING &&
        surface_is_launched(surface->config))
        surface->service.restarts++;
    if (errand->number != before)
        service_log_state(services->gate, surface);
    look_at_neighbour(services, surface, before, told);
    if (errand->number == SERVICE_READY)
        service_dials_ask(&services->dials, surface);
    else if (errand->number == SERVICE_GONE)
        take_gone(services, surface);
    else if (errand->number != SERVICE_STARTING)
        service_dials_fail(&services->dials, surface);
    if (errand->number == SERVICE_STOPPED && service_is_on_demand(surface))
        stop_idle(services, surface);
    watch_idle(services, surface);
    service_restarts_tell(&services->restarts);
    if (errand->number != SERVICE_READY)
        service_proofs_pass(&services->proofs, surface);
    return OK;
}

static enum error take_proven(struct services *services, struct surface_state *surface)
{
    if (service_is_true(surface))
        surface->service.proven_at = clock_now();
    service_proofs_pass(&services->proofs, surface);
    return OK;
}

static enum error take_ports(struct services *services, struct surface_state *surface,
                             const struct errand *errand)
{
    bool begins = surface->service.pid == 0 && errand->number != 0;

    if (strlen(errand->text) >= sizeof(surface->service.ports) ||
        errand->text[strspn(errand->text, "0123456789/tcpud ")] != '\0')
        return ERROR_SYNTAX;
    surface->service.pid = (pid_t)errand->number;
    snprintf(surface->service.ports, sizeof(surface->service.ports), "%s", errand->text);
    if (begins)
        service_log_start(services->gate, surface);
    service_dials_ask_entering(&services->dials, surface);
    return OK;
}

/* Which surface it speaks of: one whose service it was asked to start. */
static struct surface_state *find(const struct services *services, const struct errand *errand)
{
    struct surface_state *surface = surfaces_at(services->surfaces, errand->place);

    return surface != NULL && surface->service.asked ? surface : NULL;
}

static enum error take_of_surface(struct services *services, struct surface_state *surface,
                                  const struct errand *errand)
{
    if (errand->kind == ERRAND_SERVICE && errand->number < SERVICE_IDLE)
        return take_service(services, surface, errand);
    if (errand->kind == ERRAND_PROVEN)
        return take_proven(services, surface);
    if (errand->kind == ERRAND_FULL || errand->kind == ERRAND_LEFT)
        return visits_take(&services->visits, surface, errand);
    return errand->kind == ERRAND_PORTS ? take_ports(services, surface, errand)
                                        : service_told(services->gate, surface, errand);
}

static enum error take(void *context, const struct errand *errand, int fd)
{
    struct services *services = context;
    struct surface_state *surface = find(services, errand);

    if (errand->kind == ERRAND_PROOF)
        return service_fences_take_launcher(&services->gate->launcher, errand, fd);
    if (errand->kind == ERRAND_FENCED)
        return service_fences_take(surface, errand, fd, services->gate->proof.landlock);
    if ((errand->kind == ERRAND_DIALED) != (fd >= 0)) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    if (errand->kind == ERRAND_DIALED || errand->kind == ERRAND_UNDIALED)
        return service_dials_answer(&services->dials, errand, fd);
    return surface != NULL ? take_of_surface(services, surface, errand) : ERROR_SYNTAX;
}

/* What it had in hand is over; what it started ends with it, and is waited for until the parent has
 * another one. */
static void lose(void *context)
{
    struct services *services = context;

    services->line = services->proofs.line = NULL;
    proven_drop(&services->gate->launcher);
    service_dials_lose(&services->dials);
    visits_lose(&services->visits);
    service_dials_refuse_entering(&services->dials);
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_state *surface = &services->surfaces->items[i];

        if (!surface->service.asked)
            continue;
        if (surface->service.pid != 0)
            service_log_end(services->gate, surface, 0, "the launcher has ended");
        set_state(surface, SERVICE_STARTING, "the launcher has ended");
        surface->service.proven_at = 0;
        service_proofs_pass(&services->proofs, surface);
        surface->service.pid = 0;
        surface->service.processes = 0;
        surface->service.sight = SIGHT_NONE;
        proven_drop(&surface->service.program);
        surface->service.ports[0] = '\0';
    }
}

/* ---- Sessions ---- */

void services_cut_session(struct services *services, const char *session)
{
    if (services != NULL)
        visits_cut(&services->visits, session);
}

/* ---- The whole ---- */

enum error services_create(struct gate *gate, struct services **out)
{
    struct services *services = calloc(1, sizeof(*services));

    if (services == NULL)
        return ERROR_MEMORY;
    services->gate = gate;
    services->surfaces = &gate->surfaces;
    services->process = -1;
    service_dials_init(&services->dials, services->surfaces, &services->visits);
    visits_open(&services->visits, gate);
    uv_timer_init(&gate->loop, &services->patience);
    service_restarts_init(&services->restarts, &gate->loop);
    uv_timer_init(&gate->loop, &services->idle);
    uv_timer_init(&gate->loop, &services->pause);
    services->idle.data = services->pause.data = services;
    service_proofs_init(&services->proofs, &gate->loop, services->surfaces);
    services->patience.data = services;
    services_follow(services);
    *out = services;
    return OK;
}

void services_stop(struct services *services)
{
    while (services != NULL && services->ends != NULL) {
        struct services_end *one = services->ends;

        services->ends = one->next;
        one->gone(one, ERROR_STATE);
    }
    if (services == NULL)
        return;
    service_proofs_stop(&services->proofs);
    service_restarts_stop(&services->restarts);
    service_dials_refuse_entering(&services->dials);
}

void services_destroy(struct services *services)
{
    if (services == NULL)
        return;
    launcher_line_destroy(services->line);
    visits_clear(&services->visits);
    if (services->process >= 0)
        close(services->process);
    free(services);
}

void services_take_process(struct services *services, int pidfd)
{
    if (services->process >= 0)
        close(services->process);
    services->process = pidfd;
}

void services_take_launcher(struct services *services, int fd)
{
    const struct launcher_listener listener = {"launcher", take, lose, services};

    if (services->line != NULL) {
        launcher_line_close(services->line);
        lose(services);
    }
    services->line = launcher_line_open(&services->gate->loop, fd, &listener);
    services->dials.line = services->proofs.line = services->visits.line = services->line;
    if (services->line == NULL) {
        log_error("the launcher cannot be spoken to: out of memory");
        return;
    }
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_service *service = &services->surfaces->items[i].service;

        service->asked = service->ending = false;
    }
    service_restarts_pass(&services->restarts, NULL);
    tell_gone(services);
    services_follow(services);
    service_restarts_tell(&services->restarts); /* also of what has left: nothing keeps it now */
}
