#include "policy/session.h"

#include <string.h>

void session_clear(struct session *session)
{
    text_list_clear(&session->verbs);
    text_list_clear(&session->targets);
    *session = (struct session){0};
}

enum reason session_ended(const struct session *session, int64_t now)
{
    if (session->restored)
        return REASON_STORE_RESTORED;
    if (session->revoked_at != 0)
        return REASON_SESSION_REVOKED;
    if (session->expires_at <= now)
        return REASON_SESSION_EXPIRED;
    return session->once && session->used_at != 0 ? REASON_SESSION_USED : REASON_ALLOWED;
}

static const struct {
    enum reason ended;
    const char *state;
} states[] = {{REASON_ALLOWED, "active"},
              {REASON_SESSION_REVOKED, "revoked"},
              {REASON_SESSION_EXPIRED, "expired"},
              {REASON_SESSION_USED, "used"},
              {REASON_STORE_RESTORED, "restored"}};
#define STATES (sizeof(states) / sizeof(states[0]))

const char *session_state(enum reason ended)
{
    size_t i = 0;

    while (i < STATES - 1 && states[i].ended != ended)
        i++;
    return states[i].state;
}

enum reason session_ended_as(const char *state)
{
    for (size_t i = 0; i < STATES; i++) {
        if (strcmp(states[i].state, state) == 0)
            return states[i].ended;
    }
    return REASON_INTERNAL;
}

/* Whether the token is this session's: every claim that names it, not the id alone. */
static enum reason check_claims(const struct session *session, const struct token_claims *claims)
{
    if (claims == NULL)
        return REASON_ALLOWED;
    if (strcmp(claims->session_id, session->id) != 0 ||
        strcmp(claims->token_id, session->token_id) != 0)
        return REASON_SESSION_UNKNOWN;
    if (strcmp(claims->surface, session->surface) != 0)
        return REASON_TOKEN_WRONG_SURFACE;
    if (strcmp(claims->params_digest, session->params_digest) != 0)
        return REASON_TOKEN_CLAIMS;
    return REASON_ALLOWED;
}

static enum reason check_caller(const struct session *session, bool caller_known,
                                uint32_t caller_uid)
{
    if (!session->callers_set)
        return REASON_ALLOWED;
    if (!caller_known)
        return REASON_CALLER_UNKNOWN;
    for (size_t i = 0; i < session->caller_count; i++) {
        if (session->callers[i] == caller_uid)
            return REASON_ALLOWED;
    }
    return REASON_CALLER_MISMATCH;
}

enum reason session_check(const struct session *session, const struct token_claims *claims,
                          const char *current_digest, bool caller_known, uint32_t caller_uid,
                          int64_t now)
{
    enum reason reason = check_claims(session, claims);

    if (!reason_allows(reason))
        return reason;
    reason = session_ended(session, now);
    if (!reason_allows(reason))
        return reason;
    if (current_digest == NULL || strcmp(current_digest, session->params_digest) != 0)
        return REASON_PARAMS_CHANGED;
    return check_caller(session, caller_known, caller_uid);
}
