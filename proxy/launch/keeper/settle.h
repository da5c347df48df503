/* How the keeper becomes what it is: namespaces, the service's first process, its fences. */
#pragma once

#include "base/error.h"

#include "launch/calls/state.h"
#include "launch/common/step.h"
#include "launch/keeper/keeper_options.h"

#include <stdint.h>
#include <sys/types.h>

struct settled {
    struct calls *calls; /* filled */
    pid_t leader;
    struct proof proof; /* of the leader's fences; its descriptor is the caller's, -1: none */
};

/* The service's program runs. Else *step, and errno, say what failed. */
enum error keeper_settle(const struct keeper_options *options, struct settled *out,
                         uint32_t *step) MUST_CHECK;
