/*
 * What a launched service must not find: files and sockets of this gate and of others where units
 * and `sidelock init` have them, secrets of other surfaces, sockets at which whoever has its uid
 * can have anything run, and those at which it would speak as the gate's unit.
 */
#pragma once

#include "setup/bundle.h"

#define HIDDEN_MAX 512

/* Adds the paths; `ours` is the environment of this process, which may name some. */
enum error hidden_list(const struct config_bundle *bundle, uint32_t uid, char *const *ours,
                       struct text_list *out) MUST_CHECK;
