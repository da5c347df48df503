/*
 * The kill switch carried out: the connections of some surfaces are cut, and whoever asked hears
 * when the last has gone. A worker is not waited for if it stands still: one that lets none go for
 * CUTTING_PATIENCE_MS is ended, and its connections with it.
 */
#pragma once

#include "broker/core/gate.h"

#define CUTTING_PATIENCE_MS 1000
#define CUTTING_LOOK_MS     100 /* how often patience is looked at, while somebody waits */

/* One that waits; the caller's memory until `done`. */
struct cutting {
    bool slots[CONFIG_SLOTS_MAX];          /* of the surfaces; until nothing of one is left */
    void (*done)(struct cutting *cutting); /* perhaps before cutting_begin() returns */
    void *context;                         /* of the caller */
    size_t connections;                    /* how many there were */
    uint64_t took_ns;                      /* from the beginning until the last had gone */
    /* Its own. */
    struct cutting *next;
    uint64_t begun_ns, moved_ms; /* `moved_ms`: when one went last, by the loop's clock */
    size_t left;
};

void cutting_open(struct gate *gate);
/* Tells the workers with this reason, but of what is leaving, which they cut already. Nobody may be
 * let in any more before it is `done`. */
void cutting_begin(struct gate *gate, struct cutting *cutting, enum reason reason);
/* Whether one waits for the connections of this surface. */
bool cutting_waits_for(const struct gate *gate, const struct surface_state *surface);
/* Once each turn of the loop: who is done hears it; who uses what was found exposed is cut. */
void cutting_look(struct gate *gate);
/* The broker is about to exit, and its workers with it: nobody waits any more. */
void cutting_stop(struct gate *gate);
