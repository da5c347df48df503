/*
 * What a configuration that was read anew would change in the one that is in force: what a surface
 * is for (its "why" and "can_do") decides nothing and may be another; the rest was given to workers
 * when they started.
 */
#pragma once

#include "setup/bundle.h"

/*
 * Compares them as JSON, and the packs that surfaces name by path byte for byte. Adds a fault for
 * each member, and each surface, that only a restart can change. ERROR_INVALID if there was any.
 */
enum error difference_check(const struct config_bundle *before, const struct config_bundle *now,
                            struct json_faults *faults) MUST_CHECK;
