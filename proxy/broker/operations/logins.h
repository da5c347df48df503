/* Login addresses, for browsers. */
#pragma once

#include "broker/operations/operation.h"

/*
 * A single-use login address of a live session, for a browser: good for
 * TICKET_LIFETIME_S, the code in its fragment. `host` is one of the surface's
 * own names, NULL for the best of them. `url` is the caller's to wipe.
 * ERROR_STATE if the session is not live or single-use, ERROR_INVALID for a
 * host that is not the surface's.
 */
enum error logins_issue(struct operation *operation, const char *id, const char *host,
                        struct buffer *url, int64_t *expires_at) MUST_CHECK;
