/* The shipped dialect packs, for tests. */
#ifndef SIDELOCK_TESTS_PACKS_H
#define SIDELOCK_TESTS_PACKS_H

#include "dialect/dialect.h"
#include "dialect/shipped.h"

#include <stdio.h>
#include <stdlib.h>

static inline struct dialect *pack_load(const char *name)
{
    struct dialect_fault fault;
    struct dialect *dialect = NULL;
    struct span text = dialect_shipped(name);

    if (dialect_parse(text.data, text.length, &dialect, &fault) != OK) {
        fprintf(stderr, "%s%s: %s\n", name, fault.pointer, fault.text);
        abort();
    }
    return dialect;
}

#endif
