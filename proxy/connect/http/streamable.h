/*
 * An MCP over HTTP surface (Streamable HTTP): which message goes when, the
 * service's session, and the stream for what the service says unasked.
 *
 * Requests run side by side; an initialize and every notification is through
 * before the next message goes, so that the order the client meant is kept.
 */
#pragma once

#include "connect/bridge/bridge.h"

extern const struct transport streamable_transport;
