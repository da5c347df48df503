/*
 * What the keeper gives up once its tree runs: it answers, and nothing else. It executes nothing,
 * maps no code, makes no namespace and traces nobody; a call that it does not need ends it, and
 * with it the tree (seccomp(2)). It has no Landlock: that would take the right to look into
 * processes of the tree.
 */
#pragma once

#include "base/error.h"

#include <linux/filter.h>
#include <stddef.h>

#define FENCE_MAX 192

size_t fence_build(struct sock_filter out[FENCE_MAX]);

/* All threads; no_new_privs must be set. With a sanitizer, whose runtime needs more, nothing. */
enum error fence_close(void) MUST_CHECK;
