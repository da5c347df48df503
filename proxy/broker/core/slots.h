/*
 * Which slot each surface has that a configuration puts in force. Broker and worker call a surface
 * by its slot, and whatever belongs to it is kept by that: so one that stays as it is keeps its
 * own, and all others, also those that have only changed, are put into slots that are free.
 */
#pragma once

#include "config/config.h"

#define SLOTS_NONE UINT32_MAX

/*
 * `slots` are those that surfaces keep, SLOTS_NONE of those that need one: these are filled in, the
 * lowest first. `taken`: slots that some surface has, in force or leaving. ERROR_LIMIT: too few
 * are free; then nothing is filled in.
 */
enum error slots_assign(const bool taken[CONFIG_SLOTS_MAX], uint32_t *slots,
                        size_t count) MUST_CHECK;
