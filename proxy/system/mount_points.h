/* Where file systems, or parts of them, are mounted (proc_pid_mounts(5)). */
#pragma once

#include "base/error.h"
#include "base/text.h"

#define MOUNT_POINTS_MAX 4096

/* Those below the directory, itself not among them, of this process; added to the caller's list.
 * Without /proc there are none. */
enum error mount_points_below(const char *directory, struct text_list *out) MUST_CHECK;
