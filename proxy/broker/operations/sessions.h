/* Sessions: made, renewed, revoked; and tickets for them. */
#ifndef SIDELOCK_BROKER_OPERATIONS_SESSIONS_H
#define SIDELOCK_BROKER_OPERATIONS_SESSIONS_H

#include "broker/operations/operation.h"

enum session_state { SESSION_ACTIVE, SESSION_REVOKED, SESSION_EXPIRED, SESSION_USED };
/* What a session is good for now; a single-use session that was used may still have a connection.
 */
enum session_state sessions_state(const struct session *session, int64_t now);
/* How many are active. */
enum error sessions_count(struct gate *gate, int64_t now, size_t *out) MUST_CHECK;

struct session_request {
    const char *surface;
    const char *params; /* NULL: none */
    int64_t ttl_s;      /* 1 to SESSION_TTL_MAX_S */
    bool once;
    bool verbs_set, targets_set, callers_set; /* false: no limit beyond the surface's */
    struct text_list verbs, targets;
    uint32_t callers[SESSION_CALLERS_MAX];
    size_t caller_count;
};

/*
 * Makes a session. *out is filled (the caller clears it) and *token is the
 * caller's to wipe and free; it exists nowhere else. ERROR_INVALID if anything
 * asked for does not exist or does not fit, ERROR_DENIED for a command that may not run.
 */
enum error sessions_create(struct operation *operation, const struct session_request *request,
                           struct session *out, char **token) MUST_CHECK;
/*
 * Lets a live session live for another `ttl_s` from now: its connections go on,
 * *token is a new one (the caller's to wipe and free), and the one before it is
 * good no longer. *out as for create. ERROR_STATE, with the reason, if it has
 * ended; ERROR_NOT_FOUND; ERROR_INVALID for a time that cannot be.
 */
enum error sessions_renew(struct operation *operation, const char *id, int64_t ttl_s,
                          struct session *out, char **token) MUST_CHECK;
/* Closes the session's live connections. Revoking twice is no error. */
enum error sessions_revoke(struct operation *operation, const char *id) MUST_CHECK;
/* Every live session of a surface, or (NULL) of all. */
enum error sessions_revoke_all(struct operation *operation, const char *surface,
                               size_t *count) MUST_CHECK;
/* A single-use ticket for a live session. ERROR_STATE if it is not live. */
enum error sessions_issue_ticket(struct operation *operation, const char *id, char out[TICKET_SIZE],
                                 int64_t *expires_at) MUST_CHECK;

/* After its line was written: a ticket, or another such word, for a session that is live. */
enum error sessions_issue_word(struct operation *operation, struct tickets *words,
                               const char *event, const char *id, char out[TICKET_SIZE],
                               int64_t *expires_at) MUST_CHECK;
/* A live session by its id, for the caller to clear; ERROR_NOT_FOUND, ERROR_STATE. */
enum error sessions_find_live(struct operation *operation, const char *id,
                              struct session *out) MUST_CHECK;

#endif
