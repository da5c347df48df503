/* The shipped dialect packs, for tests. */
#pragma once

#include "dialect/dialect.h"

#include <stdio.h>
#include <stdlib.h>

/* Reads a pack's text as the configuration does. */
static inline enum error pack_read(const char *text, size_t length, struct dialect **out,
                                   struct json_faults *faults)
{
    struct json_reader reader = {.text = text, .length = length, .faults = faults};

    enum error error;

    faults->count = 0;
    error = dialect_read(&reader, out);
    json_reader_end(&reader);
    return error;
}

static inline struct dialect *pack_load(const char *name)
{
    static struct json_faults faults;
    struct dialect *dialect = NULL;
    struct span text = dialect_shipped(name);

    if (pack_read(text.data, text.length, &dialect, &faults) != OK) {
        fprintf(stderr, "%s%s: %s\n", name, faults.items[0].pointer, faults.items[0].text);
        abort();
    }
    return dialect;
}
