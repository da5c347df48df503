/*
 * `sidelock connect`: MCP over standard input and output on one side, the gate
 * on the other, for clients that only know stdio. It carries messages and
 * judges none; what may pass is for the gate.
 */
#pragma once

#include "connect/bridge/control.h"

/*
 * Runs until standard input ends, or SIGTERM or SIGINT. Returns the exit code
 * (sysexits): 0, or after saying why: 69 Sidelock is not running, 77 the session
 * was revoked or the gate refuses this client, 70 out of memory.
 */
int connect_run(const struct connect_control *control);
