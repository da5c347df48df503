/*
 * What a launched service is kept from by its configuration, fence by fence, and what of that a
 * kernel cannot hold: what `check`, `status` and the register say, and `require` forbids.
 */
#pragma once

#include "base/buffer.h"
#include "config/config.h"
#include "setup/program.h"
#include "system/fence_kind.h"

/* Whether anything of where it connects to is. */
bool fences_limit_connects(const struct surface_command *command);
/* Bits of system/fence_kind.h. */
uint32_t fences_promised(const struct surface_command *command);
/* Of these, what a kernel with this version of Landlock (0: none) lacks; of FENCES_USE, what a gate
 * would that were where this process is. */
uint32_t fences_lacking(uint32_t promised, unsigned landlock);

/* Those that the configuration requires. */
uint32_t fences_required(const struct surface_command *command);
/* Whether such a kernel holds all that the configuration requires; of `unjudged` the gate has to
 * find that out. ERROR_INVALID with a fault: one is not known, not promised to this service, or
 * lacking. */
enum error fences_require(const struct surface_command *command, unsigned landlock,
                          uint32_t unjudged, struct service_fault *fault) MUST_CHECK;

#define FENCES_SENTENCE_SIZE (3 * FENCE_NAMES_SIZE + 640)
/*
 * Says what is lacking, as what follows on "the service": of its list of programs why, which other
 * fences are advisory, limits among them, which second locks are not there. False, and "": all is
 * held.
 */
bool fences_tell_lacking(uint32_t lacking, unsigned landlock, char out[FENCES_SENTENCE_SIZE]);
/* Appends what it may write and where it may connect to, where that is limited, as what follows on
 * a sentence of it. */
void fences_tell_limits(const struct surface_command *command, struct buffer *out);
