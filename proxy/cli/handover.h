/*
 * The configuration's bytes on their way to a worker: the file and the dialect
 * packs it names, in a sealed memfd, so that both processes parse the same.
 */
#pragma once

#include "base/error.h"
#include "cli/config_file.h"

#define HANDOVER_BYTES_MAX (16 * 1024 * 1024)

/* *fd is close-on-exec and owned by the caller. */
enum error handover_write(const struct config_bundle *bundle, int *fd) MUST_CHECK;

/* Reads what handover_write wrote and loads it; `fd` stays the caller's. */
enum error handover_read(int fd, struct config **out) MUST_CHECK;
