/*
 * The paths in a pack (dialect.h), and what the scanner must look at for them. Called by
 * dialect/read.c, whose reader's context is the vocabulary.
 */
#pragma once

#include "dialect/dialect.h"

struct json_t;

/* All members of the objects under that key are recorded. */
void paths_descend(struct json_reader *reader, struct vocabulary *vocabulary, const char *key);
/* Only this one is, and what resembles it; the strings are borrowed. */
void paths_watch(struct json_reader *reader, struct vocabulary *vocabulary, const char *of,
                 const char *name);

/* When all is read: what is recorded anyway need not be watched. */
void paths_settle(struct vocabulary *vocabulary);

/* Each a json_read of a struct target_path: {"name": [KEY...]} and the like; [KEY...] of one
 * handle; the same of a request. */
void paths_read_target(struct json_reader *reader, struct json_t *value, void *into);
void paths_read_handle(struct json_reader *reader, struct json_t *value, void *into);
void paths_read_related(struct json_reader *reader, struct json_t *value, void *into);
/* Frees what reading left in a struct target_path. */
void paths_clear(void *path);
