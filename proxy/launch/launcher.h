/*
 * The launcher: starts trees (tree.h) through its spawner. Kernel 5.14 at least. An ordinary user
 * needs unprivileged user namespaces; root needs none.
 */
#pragma once

#include "base/error.h"

#include "launch/tree.h"

#include <uv.h>

#define LAUNCHER_TREES_MAX 512

struct launcher;

/* `channel` is spawner_start()'s, and the launcher's from now on. */
enum error launcher_create(uv_loop_t *loop, int channel, struct launcher **out) MUST_CHECK;

/* Kills all trees at once and forgets them: no callback comes any more. The loop frees the rest. */
void launcher_destroy(struct launcher *launcher);

/* ERROR_LIMIT: LAUNCHER_TREES_MAX; ERROR_NOT_FOUND: the spawner has gone. Else `ended` comes once.
 */
enum error launcher_start(struct launcher *launcher, const struct tree_options *options,
                          struct tree **out) MUST_CHECK;
