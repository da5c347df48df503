/* Every verb, with what `sidelock help` says of it; for main.c. */
#ifndef SIDELOCK_CLI_VERB_TABLE_H
#define SIDELOCK_CLI_VERB_TABLE_H

#include "cli/verbs.h"

extern const struct verb verb_table[]; /* ends with a verb without a name */

#endif
