/*
 * The surfaces that a worker has to do with. A surface keeps its slot as long as its configuration
 * stays the same, through all reloads; another one, also of the same name, has another, until
 * nothing of the first is left.
 */
#pragma once

#include "worker/client/process.h"

/* The surfaces of the configuration that the process began with, which the worker borrows. */
enum error slots_begin(struct worker *worker, const uint32_t *slots) MUST_CHECK;
/*
 * Those of a later one: what is in a slot already stays, the rest is moved out of `config`.
 * ERROR_SYNTAX for slots that cannot be.
 */
enum error slots_add(struct worker *worker, struct config *config,
                     const uint64_t slots[IPC_SURFACES_MAX]) MUST_CHECK;
/* Nothing is left of it. */
void slots_free(struct worker *worker, uint32_t slot);
void slots_clear(struct worker *worker);

/* The session has ended, and what services gave it is nobody's; NULL: all have. */
void slots_forget_session(struct worker *worker, const char *session_id);

/* What the surfaces in force may have of them together. */
size_t slots_connections(const struct worker *worker);

/* NULL: the slot is free, or there is no such slot. */
static inline const struct surface *slots_at(const struct worker *worker, uint32_t slot)
{
    return slot < CONFIG_SLOTS_MAX ? worker->slots[slot].surface : NULL;
}
