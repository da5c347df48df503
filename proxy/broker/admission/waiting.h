/*
 * Questions that wait, while the loop goes on: for a service's answer (prepare.c),
 * for the digest of a file, for the store. A waiting question is one incarnation's
 * of a worker: it dies with it, unanswered, and nobody else ever hears of it.
 *
 * Whoever works for it holds the `struct waiting` until waiting_settle(), or until
 * `abandon` says that it is gone; what runs on another thread then and cannot be
 * stopped finds, when it comes back, that there is nothing left to settle.
 */
#pragma once

#include "broker/admission/question.h"

struct waiting;

/* The question dies with its worker, or the broker ends: lets go of everything that `work` holds.
 */
typedef void waiting_abandon(void *work);
/* What is done when the wait is over; answers the question, or has it wait once more. */
typedef void waiting_resume(struct question *question, void *work);

/*
 * Keeps a question: the message it came in, and all that it owns (it is empty on
 * return). NULL without room for it, of the session, or of the calling user as long as there is
 * none, of the surface (policy/quota.h) or in
 * memory: then nothing has changed, and the answer is waiting_refusal(). `abandon` is not called
 * after waiting_settle().
 */
struct waiting *waiting_keep(struct question *question, waiting_abandon *abandon, void *work);

/* The same of one that waits for the link to a service that is launched, which others may be too.
 */
struct waiting *waiting_keep_for_link(struct question *question, waiting_abandon *abandon,
                                      void *work);

/* Whether this very worker waits for an answer about a connection. */
bool waiting_for(const struct gate *gate, struct incarnation worker, uint64_t connection);
/* With what a question is refused that could not be kept. */
enum reason waiting_refusal(const struct question *question);

/* The question as it is kept. */
struct question *waiting_question(struct waiting *waiting);

/*
 * Ends the wait. What may have changed meanwhile is judged again (authenticate_again): only
 * a question that is still good goes on with `resume`; else it is refused, with `reason` if
 * that is a refusal already. Frees `waiting`.
 */
void waiting_settle(struct waiting *waiting, enum reason reason, waiting_resume *resume,
                    void *work);

/* The same where nothing is judged: what is resumed grants nothing, or judges all of it itself. */
void waiting_finish(struct waiting *waiting, waiting_resume *resume, void *work);

/* A worker has ended: what it asked is forgotten. Called by core/workers.c. */
void waiting_forget(struct gate *gate, struct incarnation worker);
/* All of them: the broker is about to exit. */
void waiting_stop(struct gate *gate);
