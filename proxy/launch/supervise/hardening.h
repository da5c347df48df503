/* What the launcher gives up: before it is told anything, and before it hears anybody. */
#pragma once

#include "system/proof.h"

/* Nobody looks into it or at what is left of it: it knows the secrets of services for a moment
 * each. */
enum error hardening_begin(void) MUST_CHECK;
/* Its fences, for good; *proof is what was tried of them. */
enum error hardening_close(struct proof *proof) MUST_CHECK;
