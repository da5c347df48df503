/* Every verb, with what `sidelock help` says of it; for main.c. */
#ifndef SIDELOCK_CLI_VERBS_H
#define SIDELOCK_CLI_VERBS_H

#include "cli/verb.h"

extern const struct verb verbs[]; /* ends with a verb without a name */

#endif
