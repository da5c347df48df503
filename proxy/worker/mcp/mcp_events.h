/* Streams of events (text/event-stream): each is vetted, and written anew if it passes. */
#pragma once

#include "worker/http/gate.h"

/* A piece of the answer. */
enum reason mcp_events_receive(struct exchange *exchange, struct span piece);
/* A message of the gate's own on the stream of HTTP+SSE; false if that is at its end, or not
 * read. */
bool mcp_events_say(struct exchange *stream, struct span text);
