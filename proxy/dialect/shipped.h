/*
 * The packs that come with the program: config/dialects, compiled in, so that
 * what they say cannot change under it.
 */
#ifndef SIDELOCK_DIALECT_SHIPPED_H
#define SIDELOCK_DIALECT_SHIPPED_H

#include "base/text.h"

/* Their names, for sentences: "mcp, opaque". */
const char *dialect_shipped_names(void);
/* The text of the pack with this name; absent if none is shipped. */
struct span dialect_shipped(const char *name);

#endif
