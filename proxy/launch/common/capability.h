/* The capabilities of the calling thread (capabilities(7)), as sets of bits. */
#pragma once

#include "base/error.h"

#include <stdint.h>

#define CAPABILITY(name) (UINT64_C(1) << (name))

/*
 * Effective and permitted become what there was and is in `set`, inheritable and ambient nothing;
 * the bounding set as well, so that no program brings more back.
 */
enum error capability_keep(uint64_t set) MUST_CHECK;

/* Effective and permitted alone. */
enum error capability_reduce(uint64_t set) MUST_CHECK;
