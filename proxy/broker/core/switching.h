/*
 * From one set of surfaces to another: all at once for the broker, and each worker follows as
 * soon as it reads what it is told. Until then it asks for what is over, and is told so. Nothing of
 * a surface that leaves is used for another before every worker has said that nothing is left.
 */
#pragma once

#include "broker/core/fresh.h"

/*
 * Makes all ready that could fail: slots, and descriptors for the workers. ERROR_LIMIT: too much of
 * earlier surfaces is still in use; workers that have held one for longer than any client of ours
 * can stay are ended, so that there is room soon. Nothing has changed yet, and nothing has if this
 * fails.
 */
enum error switching_prepare(struct gate *gate, struct fresh *fresh) MUST_CHECK;
/*
 * Puts them in force; cannot fail. `done` is called when all workers let nobody in any more to
 * what has left; perhaps before this returns.
 */
void switching_begin(struct gate *gate, struct fresh *fresh, void (*done)(void *context),
                     void *context);

/* Workers that have not taken it up are ended; who follows them begins with what is new. */
void switching_lose_patience(struct gate *gate);

/* SWITCHED. ERROR_SYNTAX: it was not told to, or has said so. */
enum error switching_take_switched(struct gate *gate, struct incarnation from) MUST_CHECK;
/* VACATED: a taker. ERROR_SYNTAX: the surface does not leave. */
enum error switching_take_vacated(struct gate *gate, struct incarnation from,
                                  struct surface_state *surface, const void *message) MUST_CHECK;
/* Whether a worker may still speak of a surface: it is in force, or not vacated there. */
bool switching_knows(const struct surface_state *surface, struct incarnation from);
/* The process in a place has ended: it holds nothing, and the next one begins with what is new. */
void switching_forget(struct gate *gate, unsigned place);
/* The broker is about to exit: nobody waits for workers any more. */
void switching_stop(struct gate *gate);
