/*
 * What a service writes to its standard output and error: the end of a pipe, read here and put
 * into the operator's log as `NAME: …`, each line bounded and cleaned, so many bytes a second.
 * A service never waits for the log: what is too much is read, counted and left out.
 */
#pragma once

#include "base/error.h"
#include "base/ration.h"

#include <uv.h>

#define OUTPUT_LINE_BYTES_MAX 1024 /* a longer one becomes several */

struct output;

/*
 * Reads `fd` on the loop, which it takes over on success, as it does not block. Name and ration
 * are borrowed until output_end().
 */
enum error output_create(uv_loop_t *loop, const char *name, int fd, struct ration *ration,
                         struct output **out) MUST_CHECK;
/* The same of a pipe of its own; `writes` is the end for whoever writes, the caller's. */
enum error output_open(uv_loop_t *loop, const char *name, struct ration *ration,
                       struct output **out, int *writes) MUST_CHECK;
/* Nobody writes any more: logs what is left, and frees this once the loop turns. Takes NULL. */
void output_end(struct output *output);
