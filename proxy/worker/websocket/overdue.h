/* How long a WebSocket waits for either side: a message's rest, what both take, a sign of life. */
#pragma once

#include "worker/websocket/both.h"

/* Which of an open one's deadlines has passed; REASON_ALLOWED if none. */
enum reason websocket_overdue(const struct websocket *websocket, uint64_t now_ms, int64_t now_s);
/* When one may pass of which none has, if nothing happens before; 0: soon. */
uint64_t websocket_due_ms(const struct websocket *websocket, uint64_t now_ms, int64_t now_s);
/* A mode's waits_since (connection.h): a message that the client has begun, or one that it does not
 * take. */
uint64_t websocket_waits_since(const struct websocket *websocket);
