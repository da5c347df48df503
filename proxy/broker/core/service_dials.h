/*
 * Connections to launched services that are waited for, in their order: asked of the launcher when
 * the service is ready, as many at once as may be. All but the first two are services.c's.
 */
#pragma once

#include "base/reason.h"
#include "broker/core/surfaces.h"

/* Connections to one service that the launcher is asked for at once. */
#define SERVICES_ASKED_MAX 128

/*
 * One connection that is waited for, or, of who enters, the service's private network. Embedded in
 * who waits.
 */
struct services_dial {
    struct services_dial *next, **at;
    struct surface_state *surface;
    /* To a stdio service: whose, and how long that lives; in `record` what its processes run, if
     * that is a record, or -1, the caller's. */
    const char *session;
    int64_t expires_at;
    /* Once: the connected socket, which is whoever's is called, or why there is none. */
    void (*dialed)(struct services_dial *dial, enum reason reason, int fd);
    void *context; /* of the caller */
    int record;
    uint32_t number; /* 0: the launcher was not asked yet */
    bool enters;
};
/* With what one is refused that waited too long. */
enum reason services_late(const struct surface_state *surface);

struct launcher_line;
struct visits;

/* Of all services. */
struct service_dials {
    struct surfaces *surfaces;
    struct services_dial **last; /* where the next one goes */
    struct services_dial *first;
    struct launcher_line *line; /* NULL: there is no launcher to be asked */
    struct visits *visits;      /* who comes to a stdio service is noted there */
    uint32_t numbers;
};

void service_dials_init(struct service_dials *dials, struct surfaces *surfaces,
                        struct visits *visits);
void service_dials_add(struct service_dials *dials, struct surface_state *surface,
                       struct services_dial *dial);
/* Whether somebody waits for one to the surface's service. */
bool service_dials_waits(const struct service_dials *dials, const struct surface_state *surface);
/* Who enters the surface's service: as soon as a process of it is there, whatever its state. */
void service_dials_ask_entering(struct service_dials *dials, const struct surface_state *surface);
/* Those that may be asked for now. */
void service_dials_ask(struct service_dials *dials, const struct surface_state *surface);
/* Nobody waits for the surface's service any more: all are refused with services_late(). */
void service_dials_fail(struct service_dials *dials, const struct surface_state *surface);
void service_dials_forget(struct service_dials *dials, struct services_dial *dial);
/* What the launcher answered, with the socket (-1: none), taken over. */
enum error service_dials_answer(struct service_dials *dials, const struct errand *errand,
                                int fd) MUST_CHECK;
/* Nobody is told the way in any more: who enters is refused. */
void service_dials_refuse_entering(struct service_dials *dials);
/* The launcher has gone; all are asked for again when there is another one. */
void service_dials_lose(struct service_dials *dials);
