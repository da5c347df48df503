/* The keys of a configuration, from its schema: sidelock.json(5). */
#pragma once

#include <stdbool.h>
#include <stdio.h>

struct json_t; /* jansson's */

/*
 * A section for each object that the schema knows, a list of its keys in each. False: the schema
 * has something that this does not know how to say, which is told on stderr.
 */
bool keys_write(FILE *out, struct json_t *schema);
