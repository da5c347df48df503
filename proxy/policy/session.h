/*
 * A session: an authenticated grant to one surface, with one parameter record,
 * for named callers, for a while.
 */
#pragma once

#include "policy/token.h"

#define SESSION_CALLERS_MAX   16
#define SESSION_LIST_MAX      64 /* verbs, or targets, in one session */
#define SESSION_TTL_DEFAULT_S 900
#define SESSION_TTL_MAX_S     TOKEN_LIFETIME_MAX_S

struct session {
    char id[TOKEN_ID_SIZE];
    char token_id[TOKEN_ID_SIZE];
    char surface[TOKEN_NAME_SIZE];
    char params_name[TOKEN_NAME_SIZE];   /* "" : none */
    char params_digest[SHA256_HEX_SIZE]; /* "-": none */
    uint32_t created_by;                 /* uid */
    int64_t created_at, expires_at;      /* seconds since the epoch */
    int64_t revoked_at;                  /* 0: not revoked */
    int64_t used_at;                     /* 0: not used; set by the first admission of `once` */
    bool once;
    bool restored;               /* of a store that has been restored from a backup since */
    bool verbs_set, targets_set; /* false: no limit beyond the surface's */
    struct text_list verbs, targets;
    bool callers_set;
    uint32_t callers[SESSION_CALLERS_MAX];
    size_t caller_count;
};

void session_clear(struct session *session);

/*
 * REASON_ALLOWED while it is live, else why not: SESSION_REVOKED, SESSION_EXPIRED, SESSION_USED,
 * STORE_RESTORED.
 * A single-use session that was used may still have a connection.
 */
enum reason session_ended(const struct session *session, int64_t now);
/* These in a word, "active" or "revoked"; and back, REASON_INTERNAL for other words. */
const char *session_state(enum reason ended);
enum reason session_ended_as(const char *state);

/*
 * Whether a stored session, presented with these verified claims, is good now
 * (NULL: it was found through a ticket, which names nothing but the session).
 * `current_digest` is the digest of the record it names as stored today (NULL:
 * the record is gone; "-": the session names none).
 */
enum reason session_check(const struct session *session, const struct token_claims *claims,
                          const char *current_digest, bool caller_known, uint32_t caller_uid,
                          int64_t now);
