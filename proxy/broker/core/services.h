/*
 * The services that are launched, as the broker knows them: which of them are to run follows from
 * what is in force and what was killed; the launcher (launch/supervise/) does it and tells what has
 * become of each, and hands over connections to them.
 */
#pragma once

#include "base/reason.h"
#include "broker/core/surfaces.h"

#include <uv.h>

#define SERVICES_ASKED_MAX                                                                         \
    128 /* connections to one service that the launcher is asked for at once */

struct services;

/* Which are to run is as it is known then. */
enum error services_create(uv_loop_t *loop, struct surfaces *surfaces,
                           struct services **out) MUST_CHECK;
/* The broker ends: whoever waits for the end of a service is told. */
void services_stop(struct services *services);
/* Nobody waits any more. The loop has closed its handles. Takes NULL. */
void services_destroy(struct services *services);

/* The next launcher's pidfd, taken over. */
void services_take_process(struct services *services, int pidfd);
/*
 * There is a launcher, the first or another one, and nothing is left of what the last one started.
 * Takes over the channel to it.
 */
void services_take_launcher(struct services *services, int fd);

/* What is in force or killed has changed: services are started and ended accordingly. Takes NULL.
 */
void services_follow(struct services *services);

/* A launcher that does not end what is killed is ended itself, and all its services with it. */
#define SERVICES_PATIENCE_MS 3000

/*
 * Ends some services at once. `gone` is called once, when nothing of any is left, perhaps in this
 * call; ERROR_STATE: the broker ends before that is known. The caller's memory until then.
 */
struct services_end {
    bool slots[CONFIG_SLOTS_MAX]; /* of the surfaces; until nothing of one is left */
    void (*gone)(struct services_end *end, enum error error);
    void *context; /* of the caller */
    struct services_end *next;
};
void services_kill(struct services *services, struct services_end *end);

/* One connection that is waited for. Embedded in who waits. */
struct services_dial {
    struct services_dial *next, **at;
    struct surface_state *surface;
    uint32_t number; /* 0: the launcher was not asked yet */
    /* Once: the connected socket, which is whoever's is called, or why there is none. */
    void (*dialed)(struct services_dial *dial, enum reason reason, int fd);
};
/* `dialed` may come in this call. A service that is being started is waited for. */
void services_dial(struct services *services, struct surface_state *surface,
                   struct services_dial *dial);
/* `dialed` is not called any more. */
void services_forget(struct services *services, struct services_dial *dial);
/* With what one is refused that waited too long. */
enum reason services_late(const struct surface_state *surface);
