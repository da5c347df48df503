/*
 * Which sessions have processes of a stdio service, as far as the broker knows: those for which the
 * launcher was asked for a connection, until it says that nothing is left of one, up to the last
 * time that it was asked. What ends a session ends its processes. Used by services.c.
 */
#pragma once

#include "broker/core/gate.h"

#define VISITS_LOOK_MS 500 /* how often it is looked whether one's time is over */

struct launcher_line;

struct visits {
    struct visit *first;
    uv_timer_t timer;
    struct gate *gate;
    struct launcher_line *line; /* NULL: there is no launcher */
};

/* Its handle is closed with the loop. */
void visits_open(struct visits *visits, struct gate *gate);
/* The loop has closed its handles. */
void visits_clear(struct visits *visits);
/* VISIT is about to be said: of a session that is new, or is among them. ERROR_MEMORY. */
enum error visits_add(struct visits *visits, const struct errand *errand,
                      int64_t expires_at) MUST_CHECK;
/* FULL or LEFT of a surface that the launcher was asked to start. */
enum error visits_take(struct visits *visits, const struct surface_state *surface,
                       const struct errand *errand) MUST_CHECK;
/* The launcher has gone, and all that it had started. */
void visits_lose(struct visits *visits);
/* Nothing is left of any of a slot. */
void visits_remove_slot(struct visits *visits, uint32_t slot);
/* A session was ended; NULL: all. */
void visits_cut(struct visits *visits, const char *session);
