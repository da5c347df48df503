/* What is said of a surface's service, if Sidelock starts it, instead of a request. */
#pragma once

#include "setup/bundle.h"

/* Prints what it may do on this host, as `serve` would start it; the exit code of `explain`. */
int explain_service(const struct config_bundle *bundle, const struct surface *surface, bool json);
