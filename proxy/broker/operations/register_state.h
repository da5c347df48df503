/* Gathers what the register says of the surfaces from a running broker and the operating system. */
#ifndef SIDELOCK_BROKER_OPERATIONS_REGISTER_STATE_H
#define SIDELOCK_BROKER_OPERATIONS_REGISTER_STATE_H

#include "broker/operations/operation.h"
#include "broker/operations/register.h"

/*
 * Fills facts[0 .. config->surface_count), which the caller clears with
 * register_facts_clear(). On failure there is nothing to clear.
 */
enum error register_state_gather(const struct gate *gate, struct register_facts *facts) MUST_CHECK;

#endif
