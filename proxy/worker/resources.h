/* What a worker may use of the machine: descriptors, so connections, and memory. */
#pragma once

#include "config/config.h"

struct resources {
    size_t descriptors_max;
    size_t connections_max;   /* that the surfaces permit and the descriptors allow */
    size_t granted_max;       /* of them, that may be granted something */
    size_t links_waiting_max; /* to services, for the next request */
};

/* Raises the limit of descriptors to what the surfaces permit, as far as it goes, and sets up the
 * heap. */
enum error resources_size(const struct config *config, struct resources *out) MUST_CHECK;
/* The last fence around memory, far behind all limits: the kernel's. Before the sandbox closes. */
enum error resources_fence_memory(const struct resources *resources, size_t held_max) MUST_CHECK;
