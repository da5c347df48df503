/*
 * A Unix socket of our own, on which others come to us: bound where nobody else can put another in
 * its place, in the stead of one that a process which died has left.
 */
#pragma once

#include "base/error.h"

#include <sys/stat.h>

/*
 * Binds and listens at `path`, with `mode` from the first moment; non-blocking and close-on-exec.
 * `key` is what names the path in the configuration: the log says what is wrong with it.
 * ERROR_EXISTS: somebody answers there.
 */
enum error unix_listener_open(const char *path, const char *key, mode_t mode, int *out) MUST_CHECK;
