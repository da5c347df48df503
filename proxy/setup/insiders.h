/*
 * Callers to whom the rules about callers mean nothing: users whom a surface names, and who could
 * read the gate's keys or have it make them a token. A client that such a user runs needs none of
 * what it was given, once it is taken over.
 */
#pragma once

#include "config/config.h"

#include <sys/types.h>

#define INSIDERS_SENTENCE_SIZE 512

/*
 * One sentence for each such user, by owner and mode of the state directory and the control socket
 * and by the `operators`; `self` is who runs the gate, and owns what is not there yet. Of groups
 * that surfaces name, root, those owners and the operators are looked for: others cannot reach
 * either. May wait for the group database.
 */
void insiders_tell(const struct config *config, uid_t self,
                   void (*tell)(void *context, const char *sentence), void *context);
