/* What comes on a link, as HTTP: the requests of MCP's Streamable HTTP, and the upgrade. */
#pragma once

#include "launch/relay/session.h"

/* Of link_events; link->house is the house. */
void request_bytes(struct link *link);
void request_gone(struct link *link);
void request_drained(struct link *link);
