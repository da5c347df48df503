#include "broker/core/service_dials.h"

#include "broker/core/launcher_line.h"
#include "broker/core/visits.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void service_dials_init(struct service_dials *dials, struct surfaces *surfaces,
                        struct visits *visits)
{
    *dials = (struct service_dials){.surfaces = surfaces, .visits = visits};
    dials->last = &dials->first;
}

static void take_off(struct service_dials *dials, struct services_dial *dial)
{
    if (dial->number != 0)
        dial->surface->service.dialling--;
    *dial->at = dial->next;
    if (dial->next != NULL)
        dial->next->at = dial->at;
    else
        dials->last = dial->at;
    dial->at = NULL;
}

void service_dials_add(struct service_dials *dials, struct surface_state *surface,
                       struct services_dial *dial)
{
    dial->surface = surface;
    dial->number = 0;
    dial->next = NULL;
    dial->at = dials->last;
    *dials->last = dial;
    dials->last = &dial->next;
}

bool service_dials_waits(const struct service_dials *dials, const struct surface_state *surface)
{
    const struct services_dial *dial = dials->first;

    while (dial != NULL && dial->surface != surface)
        dial = dial->next;
    return dial != NULL;
}

/* Without memory to remember it, nobody would end it: then it is not asked for, and waits. */
static void visit(struct service_dials *dials, const struct services_dial *dial)
{
    const struct errand errand = {.kind = ERRAND_VISIT,
                                  .place = surfaces_index(dials->surfaces, dial->surface),
                                  .number = dial->number,
                                  .text = dial->session};

    if (visits_add(dials->visits, &errand, dial->expires_at) == OK)
        launcher_line_hand(dials->line, &errand,
                           dial->record >= 0 ? fcntl(dial->record, F_DUPFD_CLOEXEC, 3) : -1);
}

static void ask(struct service_dials *dials, struct services_dial *dial)
{
    dial->number = ++dials->numbers != 0 ? dials->numbers : ++dials->numbers;
    dial->surface->service.dialling++;
    if (dial->surface->config->upstream_stdio) {
        visit(dials, dial);
        return;
    }
    launcher_line_say(dials->line,
                      &(struct errand){.kind = dial->enters ? ERRAND_ENTER : ERRAND_DIAL,
                                       .place = surfaces_index(dials->surfaces, dial->surface),
                                       .number = dial->number});
}

void service_dials_ask_entering(struct service_dials *dials, const struct surface_state *surface)
{
    if (dials->line == NULL) {
        service_dials_refuse_entering(dials);
        return;
    }
    for (struct services_dial *dial = dials->first; dial != NULL; dial = dial->next) {
        if (surface->service.pid != 0 && dial->surface == surface && dial->enters &&
            dial->number == 0)
            ask(dials, dial);
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

/* One that ends has no room for another: it waits for the next. */
void service_dials_ask(struct service_dials *dials, const struct surface_state *surface)
{
    struct services_dial *dial = dials->first;

    if (dials->line == NULL || surface->service.state != SERVICE_READY || surface->service.ending)
        return;
    for (; dial != NULL && surface->service.dialling < SERVICES_ASKED_MAX; dial = dial->next) {
        if (dial->surface == surface && dial->number == 0)
            ask(dials, dial);
    }
}

void service_dials_fail(struct service_dials *dials, const struct surface_state *surface)
{
    struct services_dial *dial = dials->first;

    while (dial != NULL) {
        struct services_dial *next = dial->next;

        if (dial->surface == surface) {
            take_off(dials, dial);
            dial->dialed(dial, services_late(surface), -1);
            next = dials->first; /* who was told may have asked for another */
        }
        dial = next;
    }
}

void service_dials_forget(struct service_dials *dials, struct services_dial *dial)
{
    if (dial->at != NULL)
        take_off(dials, dial);
}

static enum reason cause_of(int error)
{
    switch (error) {
    case ERRAND_STRANGER: /* of one that listens by itself */
        return REASON_UPSTREAM_OWNER;
    case EAGAIN:
        return REASON_UPSTREAM_BUSY;
    case ECONNREFUSED:
        return REASON_SOCKET_DEAF;
    case EPERM: /* by the machine's own fences */
        return REASON_SOCKET_DENIED;
    case EACCES: /* what its record names may not run, the launcher says */
        return REASON_EXECUTABLE_REFUSED;
    case EDQUOT:
        return REASON_QUOTA_PROCESSES;
    case ECONNRESET: /* its tree is ending */
        return REASON_SERVICE_DOWN;
    default:
        return REASON_UPSTREAM_UNREACHABLE;
    }
}

/* Whether it is asked for again when the service listens again, or another of it does. */
static bool is_put_off(const struct services_dial *dial, int error)
{
    const struct surface_service *service = &dial->surface->service;

    if (dial->enters)
        return false;
    if (service->ending)
        return error == ECONNREFUSED || error == ECONNRESET;
    return error == ECONNREFUSED && service->state == SERVICE_STARTING;
}

/* Of one that nobody waits for any more, the socket is closed. */
enum error service_dials_answer(struct service_dials *dials, const struct errand *errand, int fd)
{
    struct services_dial *dial = dials->first;
    struct surface_state *surface;

    while (dial != NULL && (dial->number == 0 || dial->number != errand->number))
        dial = dial->next;
    if (dial == NULL) {
        if (fd >= 0)
            close(fd);
        return errand->number != 0 ? OK : ERROR_SYNTAX;
    }
    surface = dial->surface;
    if (fd < 0 && is_put_off(dial, (int)errand->place)) {
        dial->number = 0;
        surface->service.dialling--;
        return OK;
    }
    take_off(dials, dial);
    if (surface->config->upstream_tcp.host != NULL)
        surface->upstream_fault = fd >= 0 ? 0 : (int)errand->place;
    dial->dialed(dial, fd >= 0 ? REASON_ALLOWED : cause_of((int)errand->place), fd);
    service_dials_ask(dials, surface);
    return OK;
}

void service_dials_refuse_entering(struct service_dials *dials)
{
    struct services_dial *dial = dials->first;

    while (dial != NULL) {
        struct services_dial *next = dial->next;

        if (dial->enters) {
            take_off(dials, dial);
            dial->dialed(dial, REASON_SERVICE_DOWN, -1);
            next = dials->first; /* who was told may have asked for another */
        }
        dial = next;
    }
}

void service_dials_lose(struct service_dials *dials)
{
    dials->line = NULL;
    for (struct services_dial *dial = dials->first; dial != NULL; dial = dial->next) {
        dial->number = 0;
        dial->surface->service.dialling = 0;
    }
}
