/*
 * What is said before the goodbyes of a WebSocket that ends: each request of the client's that
 * waits is told why it has no answer, and the service of each whose answer nobody waits for.
 */
#pragma once

#include "worker/websocket/both.h"

/* Before the first close frame of the gate's. Whoever has gone, or said goodbye, is told nothing.
 */
void farewell_say(struct websocket *websocket, enum reason reason);
