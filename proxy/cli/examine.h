/* Whether a gate could be run on this host with a configuration, a running one's places left out.
 */
#pragma once

#include "setup/bundle.h"

/*
 * Looks at what it names as `serve` and `reload` do; what the gate that runs with it holds counts
 * as free. As places_check(): ERROR_INVALID with every fault in *faults, or ERROR_MEMORY.
 */
enum error examine_places(const struct config_bundle *bundle,
                          struct json_faults *faults) MUST_CHECK;
