/*
 * The services that are launched, as the broker knows them: which of them are to run follows from
 * what is in force and what was killed; the launcher (launch/supervise/) does it and tells what has
 * become of each, and hands over connections to them.
 */
#pragma once

#include "base/reason.h"
#include "broker/core/gate.h"
#include "broker/core/service_dials.h"
#include "broker/core/service_proofs.h"
#include "broker/core/service_restarts.h"

struct services;

/* Which are to run is as it is known then. */
enum error services_create(struct gate *gate, struct services **out) MUST_CHECK;
/* The broker ends: whoever waits for the end of a service, or for another start, is told. */
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

/* A session has ended before its time, and its processes of stdio services with it; NULL: all.
 * Takes NULL. */
void services_cut_session(struct services *services, const char *session);

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

#define SERVICES_IDLE_MS  1000 /* how often it is looked whether one is used */
#define SERVICES_PAUSE_MS 1000 /* at least, between two starts of one on demand by who comes */
/* It ends, and is started again. */
void services_restart(struct services *services, struct services_restart *restart);

void services_prove(struct services *services, struct services_proof *proof);

/* `dialed` may come in this call. A service that is being started is waited for. One that `enters`
 * is asked for as soon as a process of it is there, whether or not the service is ready. */
void services_dial(struct services *services, struct surface_state *surface,
                   struct services_dial *dial);
/* `dialed` is not called any more. */
void services_forget(struct services *services, struct services_dial *dial);
