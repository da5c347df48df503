/* Reads a pack's text into its structures. Private to dialect/. */
#ifndef SIDELOCK_DIALECT_LOAD_H
#define SIDELOCK_DIALECT_LOAD_H

#include "dialect/dialect.h"

struct dialect {
    char *name;
    struct vocabulary *vocabularies;
    size_t vocabulary_count;
};

/*
 * Fills an empty dialect. On failure *fault is set, and what was read so far
 * stays in the dialect for its owner to destroy.
 */
enum error dialect_load(const char *text, size_t length, struct dialect *dialect,
                        struct dialect_fault *fault) MUST_CHECK;

#endif
