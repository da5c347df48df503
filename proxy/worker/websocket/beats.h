/* Pings and pongs: who answers which, and which are the gate's own. */
#pragma once

#include "worker/websocket/both.h"

/*
 * One came. The client's pings are answered here, each, in its order. The service's are carried
 * to the client, whose pongs are carried back.
 */
void beats_take(struct websocket *websocket, enum direction from, const struct ws_whole *beat);
/* The gate's own to the client, whose pong is then outstanding. */
void beats_ping(struct websocket *websocket);
