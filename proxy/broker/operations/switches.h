/*
 * What an operator can do: keep parameter records, make and revoke sessions,
 * throw the kill switch. control.c decodes requests and calls these; nothing
 * here knows about HTTP.
 *
 * Every operation leaves one line in the audit log, and fails if that line
 * cannot be written. What grants something (a record, a session, arming) is
 * written to the log before it is done; what takes something away (revoking,
 * removing, killing) is done first, so that a full disk never keeps a door open.
 * Values of parameter records, tokens and tickets never reach the log.
 */
#ifndef SIDELOCK_BROKER_OPERATIONS_H
#define SIDELOCK_BROKER_OPERATIONS_H

#include "broker/broker.h"
#include "broker/operations/operation.h"

/*
 * Adds or replaces a record; `surface` NULL: for any. ERROR_INVALID for a name,
 * a surface or a record that cannot be; ERROR_SYNTAX, ERROR_LIMIT; ERROR_DENIED
 * for a command that may not run. Live connections of sessions that were made
 * for another content of the record are cut, and sessions of surfaces that the
 * record is no longer for are revoked.
 */
enum error operations_put_params(struct operation *operation, const char *name, const char *surface,
                                 struct span json, struct store_params *out) MUST_CHECK;
/*
 * The public part and the text, which the caller wipes. With `reveal` the
 * caller means to show its secrets, and the log says so.
 */
enum error operations_get_params(struct operation *operation, const char *name, bool reveal,
                                 struct store_params *out, struct buffer *json) MUST_CHECK;
/* Cuts the live connections of every session that names the record. */
enum error operations_remove_params(struct operation *operation, const char *name) MUST_CHECK;

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
 * asked for does not exist or does not fit, ERROR_DENIED as for put.
 */
enum error operations_create_session(struct operation *operation,
                                     const struct session_request *request, struct session *out,
                                     char **token) MUST_CHECK;
/*
 * Lets a live session live for another `ttl_s` from now: its connections go on,
 * *token is a new one (the caller's to wipe and free), and the one before it is
 * good no longer. *out as for create. ERROR_STATE, with the reason, if it has
 * ended; ERROR_NOT_FOUND; ERROR_INVALID for a time that cannot be.
 */
enum error operations_renew_session(struct operation *operation, const char *id, int64_t ttl_s,
                                    struct session *out, char **token) MUST_CHECK;
/* Closes the session's live connections. Revoking twice is no error. */
enum error operations_revoke_session(struct operation *operation, const char *id) MUST_CHECK;
/* Every live session of a surface, or (NULL) of all. */
enum error operations_revoke_sessions(struct operation *operation, const char *surface,
                                      size_t *count) MUST_CHECK;
/* A single-use ticket for a live session. ERROR_STATE if it is not live. */
enum error operations_issue_ticket(struct operation *operation, const char *id,
                                   char out[TICKET_SIZE], int64_t *expires_at) MUST_CHECK;

/*
 * A single-use login address of a live session, for a browser: good for
 * TICKET_LIFETIME_S, the code in its fragment. `host` is one of the surface's
 * own names, NULL for the best of them. `url` is the caller's to wipe.
 * ERROR_STATE if the session is not live or single-use, ERROR_INVALID for a
 * host that is not the surface's.
 */
enum error operations_issue_login(struct operation *operation, const char *id, const char *host,
                                  struct buffer *url, int64_t *expires_at) MUST_CHECK;
/* A live session by its id, for the caller to clear; ERROR_NOT_FOUND, ERROR_STATE. */
enum error operations_find_live(struct operation *operation, const char *id,
                                struct session *out) MUST_CHECK;

/* The kill switch: on closes every live connection of the surface. */
enum error operations_set_killed(struct operation *operation, const char *surface,
                                 bool killed) MUST_CHECK;

/* Opens the audit log anew and reads the surfaces' certificates again; connections stay. */
enum error operations_reload(struct operation *operation) MUST_CHECK;

enum session_state { SESSION_ACTIVE, SESSION_REVOKED, SESSION_EXPIRED, SESSION_USED };
/* What a session is good for now; a single-use session that was used may still have a connection.
 */
enum session_state operations_session_state(const struct session *session, int64_t now);

#endif
