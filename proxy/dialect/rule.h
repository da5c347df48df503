/* Reads what a pack says about one verb. Private to dialect/. */
#ifndef SIDELOCK_DIALECT_RULE_H
#define SIDELOCK_DIALECT_RULE_H

#include "dialect/dialect.h"
#include "json/table.h"

extern const struct json_table dialect_rule_table;

/*
 * Each a json_read of a struct verb_rule, of one direction. The reader's context is
 * the vocabulary; added to that is what the scanner must look at for the verb.
 */
void dialect_rule_read_c2s(struct json_reader *reader, struct json_t *value, void *into);
void dialect_rule_read_s2c(struct json_reader *reader, struct json_t *value, void *into);

/* Adds a member for the scanner to record; the strings are borrowed. */
void dialect_rule_watch(struct json_reader *reader, struct vocabulary *vocabulary, const char *of,
                        const char *name);

#endif
