/*
 * What a configuration that was read anew changes in the one that is in force: which surfaces are
 * new, other or gone. What a surface is for (its "why" and "can_do") decides nothing and may be
 * another without that; what is not about surfaces was given to processes when they started.
 */
#pragma once

#include "setup/bundle.h"

/* Names of surfaces, in the order of the configurations. */
struct difference {
    struct text_list added, changed, removed;
};

/*
 * Compares them as JSON, and the packs that surfaces name by path byte for byte. Adds a fault for
 * each member that only a restart can change, and for a surface that permits more than
 * `connections_max`. ERROR_INVALID if there was any. To be cleared after OK.
 */
enum error difference_find(const struct config_bundle *before, const struct config_bundle *now,
                           size_t connections_max, struct difference *out,
                           struct json_faults *faults) MUST_CHECK;
void difference_clear(struct difference *difference);
