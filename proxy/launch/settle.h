/* How the keeper becomes what it is: namespaces, the service's first process, its fences. */
#pragma once

#include "base/error.h"

#include "launch/keeper_options.h"
#include "launch/state.h"
#include "launch/step.h"

#include <stdint.h>
#include <sys/types.h>

struct settled {
    struct calls *calls; /* filled */
    pid_t leader;
};

/* The service's program runs. Else *step, and errno, say what failed. */
enum error settle(const struct keeper_options *options, struct settled *out,
                  uint32_t *step) MUST_CHECK;
