/* The threads that work for the gate, heard on its loop. */
#pragma once

#include "base/lane.h"

#include <uv.h>

/* Calls lane_reap() whenever there is something to hear. The handle is the caller's to close,
 * before the lane is destroyed. */
enum error lanes_watch(uv_loop_t *loop, uv_poll_t *poll, struct lane *lane) MUST_CHECK;
