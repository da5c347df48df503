/*
 * A socket that takes another's place in another network namespace: of the same kind, with the
 * options that were set on it. Lost are the old one's other descriptors, in this process or
 * another, which stay what they were, and filters attached to it.
 */
#pragma once

#include "base/error.h"

/* What stands in `original`'s options and flags (O_NONBLOCK) becomes `twin`'s. */
void twin_copy_options(int original, int twin);
