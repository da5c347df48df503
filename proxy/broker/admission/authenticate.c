/* Who asks. Called by the policy's steps, by admit.c, dial.c, prepare.c and reports.c. */
#include "broker/admission/question.h"

#include "base/log.h"
#include "broker/core/journal.h"
#include "policy/login_cookie.h"

#include <string.h>

_Static_assert(TICKET_SIZE == ADMISSION_WORD_BYTES + 1, "words that are found are whole");

/* Of an expired or a foreign surface's token, too. */
static bool is_token(const struct gate *gate, struct span token, char session[TOKEN_ID_SIZE])
{
    struct token_claims claims = {0};
    enum reason reason =
        token_verify(store_token_key(gate->store), token, NULL, clock_now(), &claims);

    if (!reason_allows(reason) && reason != REASON_TOKEN_EXPIRED)
        return reason == REASON_TOKEN_NOT_YET_VALID;
    memcpy(session, claims.session_id, sizeof(claims.session_id));
    return true;
}

static bool is_word(struct gate *gate, const struct credential *found, char session[TOKEN_ID_SIZE])
{
    int64_t now = clock_now();

    return tickets_redeem(&gate->tickets, found->bytes, now, session) ||
           (found->kind == CREDENTIAL_LOGIN_CODE &&
            tickets_redeem(&gate->login_codes, found->bytes, now, session));
}

static bool is_ours(struct gate *gate, const struct credential *found, char session[TOKEN_ID_SIZE])
{
    if (found->kind == CREDENTIAL_BEARER)
        return is_token(gate, found->bytes, session);
    if (found->kind == CREDENTIAL_COOKIE)
        return reason_allows(
            login_cookie_verify(store_cookie_key(gate->store), found->bytes, session));
    return is_word(gate, found, session);
}

/* Once is enough, however often its holder does it. */
static void revoke_stray(struct gate *gate, const char *id)
{
    struct session found;

    if (store_session_get(gate->store, id, &found) != OK)
        return;
    if (found.revoked_at == 0) {
        workers_cut_session(gate->workers, id, REASON_SESSION_REVOKED);
        store_session_revoke(gate->store, id, clock_now(), (struct store_reply){NULL, NULL});
    }
    session_clear(&found);
}

bool authenticate_stray(struct gate *gate, const struct credential *found,
                        char session[TOKEN_ID_SIZE])
{
    if (!is_ours(gate, found, session))
        return false;
    if (session[0] == '\0')
        return true;
    revoke_stray(gate, session);
    return true;
}

static bool record_is_for(const struct store_params *record, const struct surface_state *surface)
{
    return record->surface[0] == '\0' || strcmp(record->surface, surface->config->name) == 0;
}

/* The record the session names, as it is now: its digest, and its value for later steps. */
static enum reason load_record(struct question *question, struct store_params *record)
{
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = store_params_get(question->gate->store, question->session.params_name, record, &json);
    if (error == OK)
        error = params_parse(json.data, json.length, &question->params);
    buffer_wipe(&json);
    if (error == ERROR_NOT_FOUND)
        return REASON_PARAMS_CHANGED;
    if (error != OK)
        return REASON_INTERNAL;
    return record_is_for(record, question->surface) ? REASON_ALLOWED : REASON_PARAMS_CHANGED;
}

/* The session in question->session, against the claims of a token (NULL: none was shown). */
static enum reason check_session(struct question *question, const struct token_claims *claims)
{
    struct store_params record = {.digest = "-"};
    enum reason reason = REASON_ALLOWED;

    if (question->session.params_name[0] != '\0')
        reason = load_record(question, &record);
    if (!reason_allows(reason) && reason != REASON_PARAMS_CHANGED)
        return reason;
    return session_check(&question->session, claims, reason_allows(reason) ? record.digest : NULL,
                         question->steps.request->caller_known, question->steps.request->caller_uid,
                         clock_now());
}

static enum reason find_session(struct question *question, const char *id)
{
    enum error error = store_session_get(question->gate->store, id, &question->session);

    if (error != OK)
        return error == ERROR_NOT_FOUND ? REASON_SESSION_UNKNOWN : REASON_INTERNAL;
    return REASON_ALLOWED;
}

/* The session whose id is in `claimed_session`: as if its token had been presented. */
static enum reason check_named(struct question *question)
{
    enum reason reason = find_session(question, question->claimed_session);

    if (reason_allows(reason) &&
        strcmp(question->session.surface, question->surface->config->name) != 0)
        reason = REASON_TOKEN_WRONG_SURFACE;
    return reason_allows(reason) ? check_session(question, NULL) : reason;
}

static enum reason check_token(struct question *question, struct span token)
{
    struct token_claims claims = {0};
    struct gate *gate = question->gate;
    enum reason reason = verified_token(&gate->verified, store_token_key(gate->store), token,
                                        question->surface->config->name, clock_now(), &claims);

    if (reason_allows(reason) || reason == REASON_TOKEN_EXPIRED ||
        reason == REASON_TOKEN_WRONG_SURFACE)
        memcpy(question->claimed_session, claims.session_id, sizeof(claims.session_id));
    if (reason_allows(reason) &&
        strcmp(claims.generation, store_generation(question->gate->store)) != 0)
        reason = REASON_STORE_RESTORED;
    if (reason_allows(reason))
        reason = find_session(question, claims.session_id);
    return reason_allows(reason) ? check_session(question, &claims) : reason;
}

/* A single-use word of ours: a ticket, or a login code. */
static enum reason check_word(struct question *question, struct tickets *words, struct span word,
                              enum reason refusal)
{
    if (!tickets_redeem(words, word, clock_now(), question->claimed_session))
        return refusal;
    return check_named(question);
}

static bool is_live(const struct question *question, const char *id)
{
    struct session session = {0};
    bool live = store_session_get(question->gate->store, id, &session) == OK &&
                strcmp(session.surface, question->surface->config->name) == 0 &&
                reason_allows(session_ended(&session, clock_now()));

    session_clear(&session);
    return live;
}

/*
 * Of several, the one that was made with our key and whose session lives: what others set beside
 * it locks nobody out. Two of those are for nobody to choose between.
 */
static enum reason check_cookies(struct question *question, struct span values)
{
    const struct secret_key *key = store_cookie_key(question->gate->store);
    char id[TOKEN_ID_SIZE], live[TOKEN_ID_SIZE] = "";

    while (values.length > 0) {
        if (!reason_allows(login_cookie_verify(key, span_split(&values, ';'), id)))
            continue;
        if (live[0] != '\0' && strcmp(live, id) != 0 && is_live(question, id))
            return REASON_CREDENTIAL_AMBIGUOUS;
        if (live[0] == '\0')
            memcpy(question->claimed_session, id, sizeof(id));
        if (live[0] == '\0' && is_live(question, id))
            memcpy(live, id, sizeof(id));
    }
    return question->claimed_session[0] != '\0' ? check_named(question) : REASON_COOKIE_INVALID;
}

static enum reason check_credential(struct question *question)
{
    struct gate *gate = question->gate;
    struct span bytes = question->steps.credential.bytes;

    switch (question->steps.credential.kind) {
    case CREDENTIAL_BEARER:
        return check_token(question, bytes);
    case CREDENTIAL_TICKET:
        return check_word(question, &gate->tickets, bytes, REASON_TICKET_INVALID);
    case CREDENTIAL_LOGIN_CODE:
        return check_word(question, &gate->login_codes, bytes, REASON_LOGIN_INVALID);
    case CREDENTIAL_COOKIE:
        return check_cookies(question, bytes);
    case CREDENTIAL_NONE:
        break;
    }
    return REASON_CREDENTIAL_MISSING;
}

enum reason authenticate_files(const struct question *question, struct executables_wait *wait,
                               bool *unknown)
{
    const struct gate *gate = question->gate;
    enum error error = OK;
    char why[512];

    if (question->params != NULL)
        error = executables_check(gate->executables, gate->surfaces.config, question->params, wait,
                                  why, sizeof(why));
    *unknown = error == ERROR_STATE;
    if (error == OK)
        return REASON_ALLOWED;
    if (error != ERROR_STATE)
        log_warning("parameter record %s: %s", question->session.params_name, why);
    return REASON_EXECUTABLE_REFUSED;
}

static bool ask_stray(void *context, const struct credential *found)
{
    struct steps *steps = context;
    struct question *question = steps->context;

    return authenticate_stray(question->gate, found, question->claimed_session);
}

static enum reason ask_session(struct steps *steps)
{
    struct question *question = steps->context;
    enum reason reason = check_credential(question);

    steps->params = question->params;
    steps->record = question->params != NULL ? RECORD_THERE : RECORD_NONE;
    return reason;
}

static enum reason ask_executables(struct steps *steps)
{
    return authenticate_files(steps->context, NULL, &steps->unknown);
}

const struct steps_asks authenticate_asks = {ask_stray, ask_session, ask_executables};

enum reason authenticate_record(struct question *question)
{
    struct store_params record;
    enum reason reason = REASON_PARAMS_REQUIRED;

    if (question->session.params_name[0] != '\0')
        reason = load_record(question, &record);
    return reason;
}

enum reason authenticate_again(struct question *question)
{
    struct store *store = question->gate->store;
    struct store_params record = {.digest = "-"};
    struct session session = {0};
    bool gone = false;
    enum reason reason;

    if (question->surface->leaving)
        return REASON_SURFACE_CHANGED;
    if (question->surface->killed)
        return REASON_SURFACE_KILLED;
    if (question->surface->rehearsing)
        return REASON_KILL_REHEARSED;
    if (store_session_get(store, question->session.id, &session) != OK)
        return REASON_SESSION_UNKNOWN;
    if (session.params_name[0] != '\0')
        gone = store_params_get(store, session.params_name, &record, NULL) != OK ||
               !record_is_for(&record, question->surface);
    session.used_at = 0;                               /* by this very admission */
    question->session.expires_at = session.expires_at; /* it may have been renewed */
    reason = session_check(&session, NULL, gone ? NULL : record.digest,
                           question->steps.request->caller_known,
                           question->steps.request->caller_uid, clock_now());
    session_clear(&session);
    return reason;
}
