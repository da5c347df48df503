/* Which connections were granted to which session of the gate: its members. */
#pragma once

#include "policy/allowance.h"
#include "worker/client/connection.h"

struct members {
    struct hash_entry entry;     /* of worker->members */
    struct connection *first;    /* on by member_next; never NULL */
    struct allowance *allowance; /* the session's */
    char session_id[IPC_SESSION_ID_SIZE];
};

/* The connection's session is known; false without memory. */
bool members_join(struct connection *connection) MUST_CHECK;
/* If it is among any. */
void members_leave(struct connection *connection);
/* The session's connections end then: seconds since the epoch. */
void members_extend(struct worker *worker, const char *session_id, int64_t expires_at);
/* Forgets all: their connections have gone. */
void members_clear(struct worker *worker);
/* NULL: the session has none here. */
struct members *members_find(const struct worker *worker, const char *session_id);
