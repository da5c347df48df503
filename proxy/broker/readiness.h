/* Everybody who waits for the gate is told that it serves. */
#pragma once

#include "broker/core/gate.h"

/* The log, the service manager and, if there is one (-1), the descriptor, which is closed. */
void readiness_tell(const struct gate *gate, int fd);
