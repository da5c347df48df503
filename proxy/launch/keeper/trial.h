/*
 * Whether whoever runs this could launch a service: what a tree is made of is made once in a child,
 * which ends at once and leaves nothing.
 */
#pragma once

#include "base/error.h"

#include "launch/common/step.h"

#include <stdbool.h>

struct trial {
    bool passed;
    enum launch_step step; /* else which failed */
    int error;             /* and with which errno */
};

#define TRIAL_DEADLINE_MS 5000

/*
 * The namespaces of nest.h, a copy of a mount and the private network. ERROR_IO, ERROR_TIMEOUT:
 * nothing could be found out.
 */
enum error trial_namespaces(struct trial *out) MUST_CHECK;
/* The filter of system calls that asks (filter.h), alone. */
enum error trial_filter(struct trial *out) MUST_CHECK;
