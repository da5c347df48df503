/* What runs of a surface: a service that listens, the processes of one that does not, or nothing;
 * or one that runs by itself. */
#pragma once

#include "launch/supervise/life.h"
#include "launch/supervise/neighbour.h"
#include "launch/supervise/stdio.h"

struct place {
    struct life *life;
    struct stdio *stdio;
    struct neighbour *neighbour;
};

bool place_is_free(const struct place *place);
/* It is free once nothing is left: perhaps in this call. */
void place_end(const struct place *place, uint32_t patience_ms);
/* Its trees are forgotten already. */
void place_drop(const struct place *place);
/* A connection to a service that listens, or of one that does not for a session (`visitor`, else
 * NULL). `done` is called once, in this call or later. */
void place_dial(const struct place *place, const struct visitor *visitor, dial_done *done,
                void *data);
/* Whether it is still behind the gate alone is looked for, if there is anything of it. */
void place_prove(const struct place *place);
/* The private network of one that listens, in the place of a connection. */
void place_enter(const struct place *place, dial_done *done, void *data);
