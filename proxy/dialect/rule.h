/* Reads what a pack says about one verb. Private to dialect/. */
#ifndef SIDELOCK_DIALECT_RULE_H
#define SIDELOCK_DIALECT_RULE_H

#include "dialect/reader.h"

/*
 * Fills a zeroed rule whose name is set, and adds to the vocabulary what the
 * scanner must look at for it. What was read is the rule's, also on failure.
 */
bool dialect_rule_read(struct dialect_reader *reader, struct json_t *value,
                       enum direction direction, struct vocabulary *vocabulary,
                       struct verb_rule *rule);
/* Adds a member for the scanner to record; the strings are borrowed. */
bool dialect_rule_watch(struct dialect_reader *reader, struct vocabulary *vocabulary,
                        const char *of, const char *name);
void dialect_rule_clear(struct verb_rule *rule);

#endif
