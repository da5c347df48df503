/* The loads that a run can put on what it measures; options.h says how they are called. */
#pragma once

#include "crowd.h"
#include "options.h"

/*
 * Every connection sends a 300-byte tools/call, waits for its result (or its refusal), and
 * sends the next; a message is a request and its answer. With --idle it then opens that many
 * connections more, lets each exchange one message and rest, measures the active ones again
 * (names with among_), and what the processes' resident memory grew by for each idle
 * connection (idle_bytes). With --streams those are open streams of events instead.
 */
bool load_pings(const struct options *options);

/* Ping-pong on the active connections: a warm-up, then what is measured and printed. */
bool loads_measure_active(const struct crowd *crowd, const char *prefix);

/*
 * One after another connects, is admitted, exchanges a message and closes, beside idle ones;
 * before, what the processes use in a second in which nothing happens (rest_ms).
 */
bool load_handshakes(const struct options *options);

/*
 * So many MCP sessions are opened, equally many by the session of each token; then each
 * connection pings, in its token's MCP sessions by turns.
 */
bool load_mcp_sessions(const struct options *options);

/*
 * All connections are open when their session is revoked by the control socket: how long it is
 * until the last close frame has arrived, after which nothing reaches the service (closed_ms),
 * and what the processes use in the second that follows the command (cpu_ms). The kernel
 * notes when each arrives, so that whoever reads them does not slow down what is measured.
 */
bool load_ends(const struct options *options);
