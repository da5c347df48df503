/* What the broker gives up at the start, and when (system/fence.h). */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "system/proof.h"

/*
 * Before there are threads: makes the directories that are written to, and nothing else is changed
 * from now on. *out says which fences are in force. Logs what is wrong: ERROR_DENIED, or another.
 */
enum error fences_hold_files(const struct config *config, struct proof *out) MUST_CHECK;
