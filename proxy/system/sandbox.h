/*
 * What the worker gives up once it has everything it needs: after
 * sandbox_enter() it can read and write the descriptors it holds, accept from
 * its listeners, and nothing else. Any other system call kills it (seccomp(2)).
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/*
 * First thing in the worker, before it parses anything: no new privileges, no
 * capabilities, not dumpable, no core dumps, and every descriptor from `first`
 * on closed.
 */
enum error sandbox_prepare(int first) MUST_CHECK;

/* From now on the process may map at most so many bytes more than it has; with a sanitizer, any. */
enum error sandbox_limit_memory(size_t more_bytes) MUST_CHECK;

/* `max_descriptors` bounds what the worker may still be handed or accept. */
enum error sandbox_enter(size_t max_descriptors) MUST_CHECK;
