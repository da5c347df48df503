/*
 * What a service writes to its standard output and error: the end of a pipe, read here and put
 * into the operator's log as `NAME: …`, each line bounded and cleaned, so many bytes a second.
 * A service never waits for the log: what is too much is read, counted and left out.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define OUTPUT_LINE_BYTES_MAX   1024         /* a longer one becomes several */
#define OUTPUT_BURST_BYTES      (256 * 1024) /* a long trace, whole */
#define OUTPUT_BYTES_PER_SECOND (16 * 1024)
#define OUTPUT_LINE_COST        32 /* bytes that a line counts beside its own */

struct output;

/* What has been spent by all that ran under this name, one after the other. All zero at first. */
struct output_account {
    uint64_t spent, seen_ms;
    uint64_t lost; /* bytes left out that the log has not told of */
};

/*
 * Reads `fd` on the loop, which it takes over on success, as it does not block. Name and account
 * are borrowed until output_end().
 */
enum error output_create(uv_loop_t *loop, const char *name, int fd, struct output_account *account,
                         struct output **out) MUST_CHECK;
/* The same of a pipe of its own; `writes` is the end for whoever writes, the caller's. */
enum error output_open(uv_loop_t *loop, const char *name, struct output_account *account,
                       struct output **out, int *writes) MUST_CHECK;
/* Nobody writes any more: logs what is left, and frees this once the loop turns. Takes NULL. */
void output_end(struct output *output);
