/* Verbs that are added to those of a vocabulary (dialect.h, "extensions"). Called by read.c. */
#pragma once

#include "dialect/dialect.h"
#include "json/table.h"

struct extension {
    const char *name;
    struct json_t *verbs; /* as a vocabulary has them */
    bool off;             /* until dialect_enable() */
};

/* Adds them; `table` reads verbs. Their rules borrow the name from the vocabulary, and lie behind
 * the others: whoever adds sorts. */
void extension_add(struct json_reader *reader, const struct json_table *table,
                   struct vocabulary *vocabulary, const struct extension *extension);
