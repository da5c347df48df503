/* Sessions: made, renewed, revoked; and tickets for them. */
#pragma once

#include "broker/operations/operation.h"

/* How many are active. */
enum error sessions_count(struct gate *gate, int64_t now, size_t *out) MUST_CHECK;

/*
 * Makes a session of what is asked for: surface, params_name ("": none), lists and `once`; it
 * lives for `ttl_s`, 1 to SESSION_TTL_MAX_S. The rest is filled in, and the caller clears it; after
 * an error it is cleared. *token is the caller's to wipe and free; it exists nowhere else.
 * ERROR_INVALID if anything asked for does not exist or does not fit, ERROR_DENIED for a command
 * that may not run.
 */
enum error sessions_create(struct operation *operation, struct session *session, int64_t ttl_s,
                           char **token) MUST_CHECK;
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
/* A session by its id, for the caller to clear; ERROR_NOT_FOUND. */
enum error sessions_find(struct operation *operation, const char *id,
                         struct session *out) MUST_CHECK;
/* The same, if it is live; ERROR_STATE. */
enum error sessions_find_live(struct operation *operation, const char *id,
                              struct session *out) MUST_CHECK;
