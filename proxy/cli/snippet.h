/* Ready-made texts for clients of a new session: what to put where. */
#ifndef SIDELOCK_CLI_SNIPPET_H
#define SIDELOCK_CLI_SNIPPET_H

#include "cli/place.h"

struct json_t; /* jansson's */

bool snippet_known(const char *kind);
/*
 * Prints one kind to stdout. `created` is the control API's answer, with the
 * token: it is part of what is printed, but never of a command line in it.
 */
int snippet_print(const char *kind, const struct place *place, const struct json_t *created);

#endif
