/* What a worker counts by surface instead of telling each: told now and then. */
#pragma once

#include "worker/client/process.h"

/* What was counted of a surface since it was told last; false: the broker did not take it. */
bool counts_tell(struct worker *worker, uint32_t surface);
void counts_tell_all(struct worker *worker);
