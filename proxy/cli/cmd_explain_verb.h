/* What is said of a verb instead of a request. */
#pragma once

#include "config/config.h"

/* Prints it for the route that `path` leads to; the exit code of `explain`. */
int explain_verb(const struct surface *surface, const char *path, const char *verb,
                 enum direction direction, bool json);
