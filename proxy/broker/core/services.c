#include "broker/core/services.h"

#include "base/log.h"
#include "broker/core/launcher_line.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define END_PATIENCE_MS 5000 /* of a service whose surface has left */

struct services {
    uv_loop_t *loop;
    struct surfaces *surfaces;
    struct launcher_line *line; /* NULL: there is none */
    int process;                /* the launcher's pidfd; -1: not given */
    uv_timer_t patience;
    struct services_dial *dials, **last_dial;
    struct services_end *ends;
    uint32_t numbers;
};

/* ---- Which are to run ---- */

static bool is_wanted(const struct surface_state *surface)
{
    return surface->config != NULL && surface_is_launched(surface->config) && !surface->leaving &&
           !surface->killed;
}

static void set_state(struct surface_state *surface, enum service_state state, const char *why)
{
    surface->service.state = state;
    snprintf(surface->service.why, sizeof(surface->service.why), "%s", why);
}

static void begin(struct services *services, struct surface_state *surface)
{
    surface->service.asked = true;
    surface->service.ending = false;
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

/* One that is wanted while there is no launcher is waited for. */
static void follow(struct services *services, struct surface_state *surface)
{
    bool wanted = is_wanted(surface);

    if (!surface->service.asked)
        set_state(surface, wanted ? SERVICE_STARTING : SERVICE_GONE, "");
    if (services->line == NULL)
        return;
    if (wanted && !surface->service.asked)
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

/* ---- Connections ---- */

static void take_off(struct services *services, struct services_dial *dial)
{
    if (dial->number != 0)
        dial->surface->service.dialling--;
    *dial->at = dial->next;
    if (dial->next != NULL)
        dial->next->at = dial->at;
    else
        services->last_dial = dial->at;
    dial->at = NULL;
}

static void ask(struct services *services, struct services_dial *dial)
{
    dial->number = ++services->numbers != 0 ? services->numbers : ++services->numbers;
    dial->surface->service.dialling++;
    launcher_line_say(services->line,
                      &(struct errand){.kind = ERRAND_DIAL,
                                       .place = surfaces_index(services->surfaces, dial->surface),
                                       .number = dial->number});
}

/* As many as may be asked for at once, in their order. */
static void ask_more(struct services *services, const struct surface_state *surface)
{
    struct services_dial *dial = services->dials;

    for (; dial != NULL && surface->service.dialling < SERVICES_ASKED_MAX; dial = dial->next) {
        if (dial->surface == surface && dial->number == 0)
            ask(services, dial);
    }
}

enum reason services_late(const struct surface_state *surface)
{
    switch (surface->service.state) {
    case SERVICE_READY:
        return REASON_UPSTREAM_BUSY;
    case SERVICE_STARTING:
        return REASON_SERVICE_NEW;
    case SERVICE_EXPOSED:
        return REASON_SERVICE_EXPOSED;
    default:
        return REASON_SERVICE_DOWN;
    }
}

static bool is_waited_for(const struct surface_state *surface)
{
    return surface->service.state == SERVICE_READY || surface->service.state == SERVICE_STARTING;
}

static void fail_all(struct services *services, const struct surface_state *surface)
{
    struct services_dial *dial = services->dials;

    while (dial != NULL) {
        struct services_dial *next = dial->next;

        if (dial->surface == surface) {
            take_off(services, dial);
            dial->dialed(dial, services_late(surface), -1);
            next = services->dials; /* who was told may have asked for another */
        }
        dial = next;
    }
}

void services_dial(struct services *services, struct surface_state *surface,
                   struct services_dial *dial)
{
    dial->surface = surface;
    dial->number = 0;
    dial->at = NULL;
    if (!is_waited_for(surface)) {
        dial->dialed(dial, services_late(surface), -1);
        return;
    }
    dial->next = NULL;
    dial->at = services->last_dial;
    *services->last_dial = dial;
    services->last_dial = &dial->next;
    if (surface->service.state == SERVICE_READY && services->line != NULL)
        ask_more(services, surface);
}

void services_forget(struct services *services, struct services_dial *dial)
{
    if (dial->at != NULL)
        take_off(services, dial);
}

static enum reason cause_of(int error)
{
    switch (error) {
    case EAGAIN:
        return REASON_UPSTREAM_BUSY;
    case ECONNREFUSED:
        return REASON_SOCKET_DEAF;
    case ECONNRESET: /* its tree is ending */
        return REASON_SERVICE_DOWN;
    default:
        return REASON_UPSTREAM_UNREACHABLE;
    }
}

/* ---- What the launcher says ---- */

/* Of one that nobody waits for any more, the socket is closed. */
static enum error take_answer(struct services *services, const struct errand *errand, int fd)
{
    struct services_dial *dial = services->dials;
    struct surface_state *surface;

    while (dial != NULL && dial->number != errand->number)
        dial = dial->next;
    if (dial == NULL) {
        if (fd >= 0)
            close(fd);
        return errand->number != 0 ? OK : ERROR_SYNTAX;
    }
    surface = dial->surface;
    if (fd < 0 && errand->place == ECONNREFUSED && surface->service.state == SERVICE_STARTING) {
        dial->number = 0; /* asked for again when it listens */
        surface->service.dialling--;
        return OK;
    }
    take_off(services, dial);
    dial->dialed(dial, fd >= 0 ? REASON_ALLOWED : cause_of((int)errand->place), fd);
    ask_more(services, surface);
    return OK;
}

static enum error take_service(struct services *services, struct surface_state *surface,
                               const struct errand *errand)
{
    enum service_state before = surface->service.state;

    set_state(surface, (enum service_state)errand->number, errand->text);
    if (errand->number == SERVICE_GONE) {
        surface->service.asked = surface->service.ending = false;
        surface->service.pid = 0;
        surface->service.ports[0] = '\0';
    }
    if (errand->number == SERVICE_STARTING && before != SERVICE_STARTING)
        surface->service.restarts++;
    if (errand->number == SERVICE_READY)
        ask_more(services, surface);
    else if (errand->number != SERVICE_STARTING)
        fail_all(services, surface);
    if (errand->number == SERVICE_GONE) {
        tell_gone(services);
        follow(services, surface);
    }
    return OK;
}

static enum error take_ports(struct surface_state *surface, const struct errand *errand)
{
    if (strlen(errand->text) >= sizeof(surface->service.ports) ||
        errand->text[strspn(errand->text, "0123456789/tcpud ")] != '\0')
        return ERROR_SYNTAX;
    surface->service.pid = (pid_t)errand->number;
    snprintf(surface->service.ports, sizeof(surface->service.ports), "%s", errand->text);
    return OK;
}

/* Which surface it speaks of: one whose service it was asked to start. */
static struct surface_state *find(const struct services *services, const struct errand *errand)
{
    struct surface_state *surface = surfaces_at(services->surfaces, errand->place);

    return surface != NULL && surface->service.asked ? surface : NULL;
}

static enum error take(void *context, const struct errand *errand, int fd)
{
    struct services *services = context;
    struct surface_state *surface;

    if ((errand->kind == ERRAND_DIALED) != (fd >= 0)) {
        if (fd >= 0)
            close(fd);
        return ERROR_SYNTAX;
    }
    if (errand->kind == ERRAND_DIALED || errand->kind == ERRAND_UNDIALED)
        return take_answer(services, errand, fd);
    surface = find(services, errand);
    if (surface == NULL)
        return ERROR_SYNTAX;
    if (errand->kind == ERRAND_SERVICE && errand->number < SERVICE_STATE_COUNT)
        return take_service(services, surface, errand);
    return errand->kind == ERRAND_PORTS ? take_ports(surface, errand) : ERROR_SYNTAX;
}

/* What it had in hand is over; what it started ends with it, and is waited for until the parent has
 * another one. */
static void lose(void *context)
{
    struct services *services = context;

    services->line = NULL;
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_state *surface = &services->surfaces->items[i];

        if (!surface->service.asked)
            continue;
        set_state(surface, SERVICE_STARTING, "the launcher has ended");
        surface->service.pid = 0;
        surface->service.ports[0] = '\0';
        surface->service.dialling = 0;
    }
    for (struct services_dial *dial = services->dials; dial != NULL; dial = dial->next)
        dial->number = 0; /* asked for again when there is another one */
}

/* ---- The whole ---- */

enum error services_create(uv_loop_t *loop, struct surfaces *surfaces, struct services **out)
{
    struct services *services = calloc(1, sizeof(*services));

    if (services == NULL)
        return ERROR_MEMORY;
    services->loop = loop;
    services->surfaces = surfaces;
    services->last_dial = &services->dials;
    services->process = -1;
    uv_timer_init(loop, &services->patience);
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
}

void services_destroy(struct services *services)
{
    if (services == NULL)
        return;
    launcher_line_destroy(services->line);
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
    const struct launcher_listener listener = {take, lose, services};

    if (services->line != NULL) {
        launcher_line_close(services->line);
        lose(services);
    }
    services->line = launcher_line_open(services->loop, fd, &listener);
    if (services->line == NULL) {
        log_error("the launcher cannot be spoken to: out of memory");
        return;
    }
    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++) {
        struct surface_service *service = &services->surfaces->items[i].service;

        service->asked = service->ending = false;
    }
    tell_gone(services);
    services_follow(services);
}
