/* Who asks: the credential, the session behind it and the record that the session names. */
#include "base/log.h"
#include "broker/admission/admit.h"
#include "broker/core/workers.h"
#include "policy/exec_policy.h"
#include "policy/login_cookie.h"
#include "system/executable.h"

#include <string.h>

void admit_revoke_leaked(struct broker *broker, const char *token, char session[TOKEN_ID_SIZE])
{
    struct token_claims claims;
    enum reason reason =
        token_verify(store_token_key(broker->store), span_of(token), NULL, broker_now(), &claims);

    if (!reason_allows(reason))
        return;
    memcpy(session, claims.session_id, sizeof(claims.session_id));
    if (store_session_revoke(broker->store, session, broker_now()) == OK)
        workers_cut_session(broker->workers, session, REASON_SESSION_REVOKED);
    else
        log_error("session %s could not be revoked", session);
}

static bool record_is_for(const struct store_params *record, const struct broker_surface *surface)
{
    return record->surface[0] == '\0' || strcmp(record->surface, surface->config->name) == 0;
}

/* The record the session names, as it is now: its digest, and its value for later steps. */
static enum reason load_params(struct admission *admission, struct store_params *record)
{
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error =
        store_params_get(admission->broker->store, admission->session.params_name, record, &json);
    if (error == OK)
        error = params_parse(json.data, json.length, &admission->params);
    buffer_wipe(&json);
    if (error == ERROR_NOT_FOUND)
        return REASON_PARAMS_CHANGED;
    if (error != OK)
        return REASON_INTERNAL;
    return record_is_for(record, admission->surface) ? REASON_ALLOWED : REASON_PARAMS_CHANGED;
}

static enum reason check_session(struct admission *admission, const struct token_claims *claims)
{
    const struct ipc_admit *request = admission->request;
    struct store_params record = {.digest = "-"};
    enum error error =
        store_session_get(admission->broker->store, claims->session_id, &admission->session);
    enum reason reason = REASON_ALLOWED;

    if (error != OK)
        return error == ERROR_NOT_FOUND ? REASON_SESSION_UNKNOWN : REASON_INTERNAL;
    admission->has_session = true;
    if (admission->session.params_name[0] != '\0')
        reason = load_params(admission, &record);
    if (!reason_allows(reason) && reason != REASON_PARAMS_CHANGED)
        return reason;
    return session_check(&admission->session, claims, reason_allows(reason) ? record.digest : NULL,
                         request->caller_known, request->caller_uid, broker_now());
}

static enum reason check_named(struct admission *admission)
{
    struct token_claims claims = {0};
    struct session session = {0};
    enum error error =
        store_session_get(admission->broker->store, admission->claimed_session, &session);

    if (error != OK)
        return error == ERROR_NOT_FOUND ? REASON_SESSION_UNKNOWN : REASON_INTERNAL;
    memcpy(claims.session_id, session.id, sizeof(session.id));
    memcpy(claims.token_id, session.token_id, sizeof(session.token_id));
    memcpy(claims.surface, session.surface, sizeof(session.surface));
    memcpy(claims.params_digest, session.params_digest, sizeof(session.params_digest));
    session_clear(&session);
    if (strcmp(claims.surface, admission->surface->config->name) != 0)
        return REASON_TOKEN_WRONG_SURFACE;
    return check_session(admission, &claims);
}

static enum reason check_token(struct admission *admission, struct span token)
{
    struct token_claims claims = {0};
    enum reason reason = token_verify(store_token_key(admission->broker->store), token,
                                      admission->surface->config->name, broker_now(), &claims);

    if (reason_allows(reason) || reason == REASON_TOKEN_EXPIRED ||
        reason == REASON_TOKEN_WRONG_SURFACE)
        memcpy(admission->claimed_session, claims.session_id, sizeof(claims.session_id));
    return reason_allows(reason) ? check_session(admission, &claims) : reason;
}

/* A single-use word of ours: a ticket, or a login code. */
static enum reason check_word(struct admission *admission, struct tickets *words, struct span word,
                              enum reason refusal)
{
    if (!tickets_redeem(words, word, broker_now(), admission->claimed_session))
        return refusal;
    return check_named(admission);
}

static enum reason check_cookie(struct admission *admission, struct span value)
{
    enum reason reason = login_cookie_verify(store_cookie_key(admission->broker->store), value,
                                             admission->claimed_session);

    return reason_allows(reason) ? check_named(admission) : reason;
}

static enum reason find_session(struct admission *admission)
{
    const struct broker *broker = admission->broker;
    const struct credential *credential = &admission->steps.credential;

    switch (credential->kind) {
    case CREDENTIAL_BEARER:
        return check_token(admission, credential->bytes);
    case CREDENTIAL_TICKET:
        return check_word(admission, broker->tickets, credential->bytes, REASON_TICKET_INVALID);
    case CREDENTIAL_LOGIN_CODE:
        return check_word(admission, broker->login_codes, credential->bytes, REASON_LOGIN_INVALID);
    case CREDENTIAL_COOKIE:
        return check_cookie(admission, credential->bytes);
    case CREDENTIAL_NONE:
        break;
    }
    return REASON_CREDENTIAL_MISSING;
}

static enum reason ask_session(struct steps *steps)
{
    struct admission *admission = steps->context;
    enum reason reason = find_session(admission);

    steps->params = admission->params;
    steps->record = admission->params != NULL ? RECORD_THERE : RECORD_NONE;
    return reason;
}

static bool ask_killed(struct steps *steps)
{
    const struct admission *admission = steps->context;

    return admission->surface->killed;
}

static void ask_leaked(struct steps *steps, const char *token)
{
    struct admission *admission = steps->context;

    admit_revoke_leaked(admission->broker, token, admission->claimed_session);
}

/* What may run was checked when the record was stored; files change. */
static enum reason check_executables(struct admission *admission)
{
    char why[512];
    enum error error;

    if (admission->params == NULL)
        return REASON_ALLOWED;
    error = exec_policy_check(admission->broker->config, admission->params, executable_facts, NULL,
                              why, sizeof(why));
    if (error == OK)
        return REASON_ALLOWED;
    log_warning("parameter record %s: %s", admission->session.params_name, why);
    return REASON_EXECUTABLE_REFUSED;
}

static enum reason ask_executables(struct steps *steps)
{
    return check_executables(steps->context);
}

const struct steps_asks admit_asks = {ask_killed, ask_leaked, ask_session, ask_executables};

enum reason admit_load_params(struct admission *admission)
{
    struct store_params record;
    enum reason reason = REASON_PARAMS_REQUIRED;

    if (admission->session.params_name[0] != '\0')
        reason = load_params(admission, &record);
    return reason_allows(reason) ? check_executables(admission) : reason;
}

enum reason admit_still_good(const struct admission *admission)
{
    struct broker *broker = admission->broker;
    const struct ipc_admit *request = admission->request;
    struct store_params record = {.digest = "-"};
    struct session session = {0};
    bool gone = false;
    enum reason reason;

    if (admission->surface->killed)
        return REASON_SURFACE_KILLED;
    if (store_session_get(broker->store, admission->session.id, &session) != OK)
        return REASON_SESSION_UNKNOWN;
    if (session.params_name[0] != '\0')
        gone = store_params_get(broker->store, session.params_name, &record, NULL) != OK ||
               !record_is_for(&record, admission->surface);
    session.used_at = 0; /* by this very admission */
    reason = session_check(&session, NULL, gone ? NULL : record.digest, request->caller_known,
                           request->caller_uid, broker_now());
    session_clear(&session);
    return reason;
}
