/*
 * How fast a session may go (policy/allowance.h): what its clients do is paid for as it comes. Who
 * owes is read later, as one whose messages are refused is.
 */
#pragma once

#include "worker/client/connection.h"

/*
 * One more, and so many bytes: why it is to be refused as too much for now, counted;
 * REASON_INTERNAL: it is not. Of a connection that was granted something.
 */
enum reason rates_late(struct connection *connection, enum allowance_of what,
                       uint64_t bytes) MUST_CHECK;
/* What is not refused: the connection waits all the longer. */
void rates_owe(struct connection *connection, enum allowance_of what, uint64_t count);
/* One more connection of its caller; otherwise it is hasty. */
void rates_note_connection(struct connection *connection);
