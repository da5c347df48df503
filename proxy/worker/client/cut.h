/*
 * What the broker takes away: connections of a session or a surface are marked at once, and dropped
 * some a turn of the loop, so that a session with thousands of them holds up nobody else. All are
 * told before the rest of any one's end is seen to.
 */
#pragma once

#include "worker/client/connection.h"

#define CUT_TURN_MS 5 /* of one turn of the loop */

/* Marks the connections that were granted to a session (NULL: to any). */
void cut_session(struct worker *worker, const char *session_id, enum reason reason);
/* Those that were granted something on a surface. */
void cut_surface(struct worker *worker, uint32_t surface, enum reason reason);
/*
 * Drops it if it is marked, instead of carrying what has just come for it. False: it is not.
 */
bool cut_now(struct connection *connection);
/* Drops who is marked, for one turn; whether some are left. */
bool cut_go_on(struct worker *worker);
