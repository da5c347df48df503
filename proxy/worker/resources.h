/* What a worker may use of the machine: descriptors, so connections, and memory. */
#pragma once

#include "base/error.h"

#include <stddef.h>

struct resources {
    size_t descriptors_max;
    size_t spare;             /* of them, that are no connection's */
    size_t links_waiting_max; /* to services, for the next request */
};

/*
 * Raises the limit of descriptors to what `connections` need, as far as it goes, and sets up the
 * heap. That is for the life of the process, whatever surfaces come.
 */
enum error resources_size(size_t connections, struct resources *out) MUST_CHECK;
/* How many there may be where surfaces permit `wanted`. */
size_t resources_connections(const struct resources *resources, size_t wanted);
/* Of so many, how many may be granted something. */
size_t resources_granted(size_t connections);
/* The last fence around memory, far behind all limits: the kernel's. Before the sandbox closes. */
enum error resources_fence_memory(const struct resources *resources, size_t held_max) MUST_CHECK;
