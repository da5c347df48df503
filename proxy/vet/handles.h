/*
 * What services gave to sessions to name things by: ids of tasks, ids of events from
 * which a stream goes on. A service takes such a handle from whoever knows it, and
 * cannot tell one session of the gate's from another; so each belongs to the session that was
 * given it, over whichever connection, until that session ends.
 *
 * One for a surface. Bounded: of a session's handles of a kind the oldest give way. What
 * a worker was given is forgotten with it.
 */
#pragma once

#include "base/error.h"
#include "base/text.h"

#define HANDLE_BYTES_MAX 1024 /* a longer one is not remembered */
#define HANDLES_SESSIONS_MAX                                                                       \
    4096 /* sessions that were given any; the one used longest ago goes                            \
          */

enum handle_kind {
    HANDLE_NAMED = 0, /* in messages, where a dialect says so: a task id */
    HANDLE_EVENT,     /* of a stream of events: what Last-Event-ID may say */
    HANDLE_KINDS
};

struct handles;

/* `limit`: of a session and kind. */
enum error handles_create(unsigned limit, struct handles **out) MUST_CHECK;
void handles_destroy(struct handles *handles);

/* The session was given it; whether an older one gave way. Without memory it is not remembered. */
bool handles_give(struct handles *handles, const char *session_id, enum handle_kind kind,
                  struct span handle);
/* Whether it is the session's; of NULL nothing is. */
bool handles_held(struct handles *handles, const char *session_id, enum handle_kind kind,
                  struct span handle);
/* The session has ended; NULL: all have. */
void handles_forget(struct handles *handles, const char *session_id);
