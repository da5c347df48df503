/*
 * The directories that a gate changes files in: the state directory and the control socket's.
 */
#pragma once

#include "config/config.h"

/*
 * Makes those that are missing, closed to others as they must be, and names the control socket's.
 * ERROR_DENIED, ERROR_IO: the log says what is wrong.
 */
enum error directories_make(const struct config *config,
                            char control[CONFIG_SOCKET_BYTES_MAX + 1]) MUST_CHECK;
/* The control socket's alone. */
enum error directories_make_control(const struct config *config,
                                    char control[CONFIG_SOCKET_BYTES_MAX + 1]) MUST_CHECK;
