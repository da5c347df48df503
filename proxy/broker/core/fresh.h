/*
 * The surfaces that a configuration, read anew, brings: made ready beside those that run, with
 * everything that could fail, so that to put them in force cannot.
 */
#pragma once

#include "broker/core/gate.h"
#include "setup/difference.h"

struct fresh {
    struct config_bundle bundle;
    struct json_faults faults;
    struct difference difference;              /* names, in the order of the configurations */
    struct surfaces_certificates certificates; /* of all its surfaces */
    /* By the surface's place in the configuration. */
    struct surface_state made[CONFIG_SURFACES_MAX]; /* without a configuration: it stays as it is */
    uint32_t slots[CONFIG_SURFACES_MAX];
    int *descriptors; /* for the workers, in the order in which they are told; owned */
    size_t descriptor_count;
};

/*
 * Reads the configuration and the certificates, and binds what is not bound yet: addresses that
 * stay the same are handed on. ERROR_INVALID with all faults, or ERROR_MEMORY. The fresh one is
 * the caller's to clear in any case. On a thread of its own while the loop goes on; `gate` is only
 * read, and its surfaces stay meanwhile.
 */
enum error fresh_read(const struct gate *gate, int64_t now, struct fresh *out) MUST_CHECK;
void fresh_clear(struct fresh *fresh);
/* Whether anything about surfaces is other than before. */
static inline bool fresh_differs(const struct fresh *fresh)
{
    return fresh->difference.added.count + fresh->difference.changed.count +
               fresh->difference.removed.count >
           0;
}
