/*
 * Room for those who were granted something: so many connections a surface, a caller and a
 * session (limits, policy/quota.h). Where there is none left, those give way who only
 * wait for another request, then those whose client is slow, of whatever session
 * has more of them than the one that comes.
 */
#pragma once

#include "worker/client/connection.h"

/* Whether there may be room for it, once the broker has said who it is: REASON_ALLOWED, or
 * CAPACITY and what there is none of. */
enum reason room_may_be_had(const struct connection *connection);
/* Takes it, for the session that it has now: REASON_ALLOWED, CAPACITY or QUOTA_CONNECTIONS. */
enum reason room_take(struct connection *connection) MUST_CHECK;
void room_give(struct connection *connection);
