/* Sessions, and words for them, given out and taken back. Called by control/routes.c. */
#include "broker/operations/operation.h"

#include "broker/core/journal.h"
#include "vet/vet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES  ((TOKEN_ID_SIZE - 1) / 2)
#define NO_DIGEST "-" /* of a session without a parameter record */

static enum error check_list(struct operation *operation, const char *what,
                             const struct text_list *list, size_t max_bytes)
{
    for (size_t i = 0; i < list->count; i++) {
        size_t length = strlen(list->items[i]);

        if (length == 0 || length > max_bytes || text_has_control(list->items[i]))
            return operation_fail(operation, ERROR_INVALID,
                                  "each %s of a session is 1 to %zu bytes without control "
                                  "characters",
                                  what, max_bytes);
    }
    return OK;
}

static enum error check_ttl(struct operation *operation, int64_t ttl_s)
{
    if (ttl_s >= 1 && ttl_s <= SESSION_TTL_MAX_S)
        return OK;
    return operation_fail(operation, ERROR_INVALID,
                          "a session lives for 1 second to %d days, not for %" PRId64 " seconds",
                          SESSION_TTL_MAX_S / (24 * 3600), ttl_s);
}

/* The record as stored must be for this surface. */
static enum error load_params(struct operation *operation, struct session *session)
{
    const struct store_params *stored = &operation->way.grant.stored;
    enum error error = records_load(operation, session->params_name, &operation->way.grant.stored,
                                    &operation->way.grant.params);

    if (error != OK)
        return error;
    if (stored->surface[0] != '\0' && strcmp(stored->surface, session->surface) != 0)
        return operation_fail(operation, ERROR_INVALID,
                              "the parameter record %s is for surface %s, not %s", stored->name,
                              stored->surface, session->surface);
    memcpy(session->params_digest, stored->digest, SHA256_HEX_SIZE);
    return OK;
}

/* What was asked for; sets the record's digest. */
static enum error check_wanted(struct operation *operation, struct session *session, int64_t ttl_s)
{
    enum error error;

    if (operation_surface(operation, session->surface) == NULL)
        return ERROR_INVALID;
    error = check_ttl(operation, ttl_s);
    if (error == OK)
        error = check_list(operation, "verb", &session->verbs, VET_VERB_BYTES_MAX);
    if (error == OK)
        error = check_list(operation, "target", &session->targets, VET_TARGET_BYTES_MAX);
    snprintf(session->params_digest, sizeof(session->params_digest), NO_DIGEST);
    if (error == OK && session->params_name[0] != '\0')
        error = load_params(operation, session);
    return error;
}

static enum error random_id(char out[TOKEN_ID_SIZE])
{
    unsigned char bytes[ID_BYTES];
    enum error error = secret_random(bytes, sizeof(bytes));

    if (error == OK)
        text_hex(bytes, sizeof(bytes), out);
    return error;
}

static enum error mint(struct operation *operation, const struct session *session,
                       int64_t issued_at, char **token)
{
    struct token_claims claims = {
        .issued_at = issued_at, .not_before = issued_at, .expires_at = session->expires_at};
    enum error error;

    snprintf(claims.subject, sizeof(claims.subject), "uid:%" PRIu32, session->created_by);
    snprintf(claims.surface, sizeof(claims.surface), "%s", session->surface);
    snprintf(claims.session_id, sizeof(claims.session_id), "%s", session->id);
    snprintf(claims.token_id, sizeof(claims.token_id), "%s", session->token_id);
    snprintf(claims.params_digest, sizeof(claims.params_digest), "%s", session->params_digest);
    snprintf(claims.generation, sizeof(claims.generation), "%s",
             store_generation(operation->gate->store));
    error = token_mint(store_token_key(operation->gate->store), &claims, token);
    if (error != OK)
        operation_fail(operation, error, "the token could not be signed: %s", error_text(error));
    return error;
}

static enum error log_session(struct operation *operation, const char *event,
                              const struct session *session)
{
    struct audit *line = operation_line(operation, event);

    audit_text(line, "session", session->id);
    audit_text(line, "surface", session->surface);
    if (session->params_name[0] != '\0')
        audit_text(line, "params", session->params_name);
    audit_text(line, "digest", session->params_digest);
    audit_number(line, "expires_at", session->expires_at);
    audit_flag(line, "once", session->once);
    return operation_commit(operation);
}

/* ---- Granted ---- */

/* A new token goes out, or nothing at all. */
static void end_grant(struct operation *operation, enum error error)
{
    char *minted = operation->way.grant.minted;

    params_destroy(operation->way.grant.params);
    if (error == OK) {
        *operation->way.grant.token = minted;
    } else {
        session_clear(operation->way.grant.session);
        if (minted != NULL)
            secret_wipe(minted, strlen(minted));
        free(minted);
    }
    operation_end(operation, error);
}

/* As many live already as may: the store has counted them. */
static enum error refuse_full(struct operation *operation, const struct session *session)
{
    struct gate *gate = operation->gate;
    const struct surface_state *surface = surfaces_find(&gate->surfaces, session->surface);

    if (surface != NULL)
        quotas_counts(gate->quotas, surfaces_index(&gate->surfaces, surface))
            ->refused[QUOTA_SESSIONS]++;
    operation->reason = REASON_QUOTA_SESSIONS;
    operation_fail(operation, ERROR_STATE,
                   "surface %s has as many live sessions as it may; revoke some with `sidelock "
                   "session revoke`, or raise \"max_sessions\" of its limits",
                   session->surface);
    operation_undo(operation, "session_created");
    return ERROR_STATE;
}

static void on_granted(void *context, enum error error)
{
    struct operation *operation = context;
    const struct session *session = operation->way.grant.session;
    bool renewal = operation->way.grant.renewal;

    if (error == ERROR_DENIED) {
        end_grant(operation, refuse_full(operation, session));
        return;
    }
    error = operation_kept(operation, error, renewal ? "session_renewed" : "session_created",
                           renewal ? "keep the session's renewal" : "keep the session");
    if (error == OK && renewal)
        workers_extend_session(operation->gate->workers, session->id, session->expires_at);
    end_grant(operation, error);
}

static uint32_t at_most(const struct operation *operation, const char *name)
{
    const struct surface_state *surface = surfaces_find(&operation->gate->surfaces, name);

    return surface != NULL ? surface->config->limits.max_sessions : 0;
}

/* A new token for a session: signed, written down, then kept. */
static void grant(struct operation *operation)
{
    struct store *store = operation->gate->store;
    struct session *session = operation->way.grant.session;
    bool renewal = operation->way.grant.renewal;
    struct store_reply reply = {on_granted, operation};
    enum error error = random_id(session->token_id);

    if (error != OK)
        operation_fail(operation, error, "the session was not %s: %s", renewal ? "renewed" : "made",
                       error_text(error));
    else
        error = mint(operation, session, operation->way.grant.now, &operation->way.grant.minted);
    if (error == OK)
        error = log_session(operation, renewal ? "session_renewed" : "session_created", session);
    if (error != OK)
        end_grant(operation, error);
    else if (renewal)
        store_session_renew(store, session->id, session->token_id, session->expires_at,
                            operation->way.grant.now, reply);
    else
        store_session_add_within(store, session, at_most(operation, session->surface), reply);
}

/* What the record runs must still be permitted. */
static void create_checked(struct operation *operation)
{
    struct session *session = operation->way.grant.session;
    enum error error = OK;

    if (operation->way.grant.params != NULL)
        error =
            records_check_command(operation, session->params_name, operation->way.grant.params,
                                  "used", &operation->way.grant.files, &operation->way.grant.looks);
    if (error == ERROR_STATE)
        return;
    /* Files took time to be looked into, in which a reload may have removed it. */
    if (error == OK && operation_surface(operation, session->surface) == NULL)
        error = ERROR_INVALID;
    if (error == OK)
        grant(operation);
    else
        end_grant(operation, error);
}

static void look_into_files(struct executables_wait *wait)
{
    create_checked(wait->context);
}

void sessions_create(struct operation *operation, struct session *session, int64_t ttl_s,
                     char **token)
{
    enum error error;

    memset(&operation->way, 0, sizeof(operation->way));
    operation->way.grant.session = session;
    operation->way.grant.token = token;
    operation->way.grant.now = clock_now();
    operation->way.grant.files =
        (struct executables_wait){.known = look_into_files, .context = operation};
    error = check_wanted(operation, session, ttl_s);
    if (error == OK) {
        error = random_id(session->id);
        if (error != OK)
            operation_fail(operation, error, "the session could not be made: %s",
                           error_text(error));
    }
    if (error != OK) {
        end_grant(operation, error);
        return;
    }
    session->created_by = operation->uid;
    session->created_at = operation->way.grant.now;
    session->expires_at = session->created_at + ttl_s;
    create_checked(operation);
}

/* ---- Found, renewed and revoked ---- */

static enum error no_such_session(struct operation *operation)
{
    return operation_fail(operation, ERROR_NOT_FOUND,
                          "there is no such session; `sidelock session list` lists them");
}

enum error sessions_find(struct operation *operation, const char *id, struct session *out)
{
    enum error error = store_session_get(operation->gate->store, id, out);

    if (error == ERROR_NOT_FOUND)
        return no_such_session(operation);
    return error == OK ? OK : operation_fail_store(operation, error, "read the session");
}

enum error sessions_find_live(struct operation *operation, const char *id, struct session *out)
{
    enum error error = sessions_find(operation, id, out);
    enum reason ended = error == OK ? session_ended(out, clock_now()) : REASON_ALLOWED;

    if (reason_allows(ended))
        return error;
    session_clear(out);
    operation->reason = ended;
    return operation_fail(operation, ERROR_STATE,
                          "the session is %s; make another with `sidelock session create`",
                          session_state(ended));
}

void sessions_renew(struct operation *operation, const char *id, int64_t ttl_s, struct session *out,
                    char **token)
{
    enum error error = check_ttl(operation, ttl_s);

    if (error == OK)
        error = sessions_find_live(operation, id, out);
    if (error != OK) {
        operation_end(operation, error);
        return;
    }
    memset(&operation->way, 0, sizeof(operation->way));
    operation->way.grant.session = out;
    operation->way.grant.token = token;
    operation->way.grant.renewal = true;
    operation->way.grant.now = clock_now();
    out->expires_at = operation->way.grant.now + ttl_s;
    grant(operation);
}

static void on_revoked(void *context, enum error error)
{
    struct operation *operation = context;

    if (error == ERROR_NOT_FOUND) {
        no_such_session(operation);
    } else if (error != OK) {
        operation_fail_store(operation, error, "keep that the session is revoked");
    } else {
        audit_text(operation_line(operation, "session_revoked"), "session",
                   operation->way.revoke.id);
        error = operation_commit(operation);
    }
    operation_end(operation, error);
}

void sessions_revoke(struct operation *operation, const char *id)
{
    struct gate *gate = operation->gate;
    struct session session;
    enum error error = store_session_get(gate->store, id, &session);

    if (error == ERROR_NOT_FOUND) {
        operation_end(operation, no_such_session(operation));
        return;
    }
    if (error == OK)
        session_clear(&session);
    memset(&operation->way, 0, sizeof(operation->way));
    operation->way.revoke.id = id;
    workers_cut_session(gate->workers, id, REASON_SESSION_REVOKED);
    store_session_revoke(gate->store, id, clock_now(), (struct store_reply){on_revoked, operation});
}

static void on_all_revoked(void *context, enum error error)
{
    struct operation *operation = context;
    struct audit *line;

    if (error != OK) {
        operation_fail_store(operation, error, "keep that the sessions are revoked");
    } else {
        line = operation_line(operation, "sessions_revoked");
        audit_text(line, "surface", operation->way.revoke.surface);
        audit_number(line, "count", (int64_t)*operation->way.revoke.count);
        error = operation_commit(operation);
    }
    operation_end(operation, error);
}

void sessions_revoke_all(struct operation *operation, const char *surface, size_t *count)
{
    struct gate *gate = operation->gate;
    const struct surface_state *found = NULL;

    if (surface != NULL && (found = operation_surface(operation, surface)) == NULL) {
        operation_end(operation, ERROR_NOT_FOUND);
        return;
    }
    memset(&operation->way, 0, sizeof(operation->way));
    operation->way.revoke.surface = surface;
    operation->way.revoke.count = count;
    if (found == NULL)
        workers_cut_session(gate->workers, NULL, REASON_SESSION_REVOKED);
    else
        workers_cut_surface(gate->workers, found, REASON_SESSION_REVOKED);
    store_session_revoke_all(gate->store, surface, clock_now(), count,
                             (struct store_reply){on_all_revoked, operation});
}

/* ---- Words for them ---- */

enum error sessions_surface(struct operation *operation, const struct session *session,
                            struct surface_state **out)
{
    *out = surfaces_find(&operation->gate->surfaces, session->surface);
    if (*out != NULL)
        return OK;
    return operation_fail(operation, ERROR_STATE,
                          "the session's surface %s is no longer configured", session->surface);
}

enum error sessions_issue_word(struct operation *operation, struct tickets *words,
                               const char *event, const struct surface_state *surface,
                               const char *id, char out[TICKET_SIZE], int64_t *expires_at)
{
    uint32_t index = surfaces_index(&operation->gate->surfaces, surface);
    int64_t now = clock_now();
    enum error error = tickets_issue(words, index, id, now, out);

    *expires_at = now + TICKET_LIFETIME_S;
    if (error != OK) {
        operation_fail(operation, error, "no more can be issued now: %s", error_text(error));
        operation_undo(operation, event);
    }
    return error;
}

enum error sessions_issue_ticket(struct operation *operation, const char *id, char out[TICKET_SIZE],
                                 int64_t *expires_at)
{
    struct surface_state *surface;
    struct session session;
    enum error error = sessions_find_live(operation, id, &session);

    if (error != OK)
        return error;
    error = sessions_surface(operation, &session, &surface);
    session_clear(&session);
    if (error != OK)
        return error;
    audit_text(operation_line(operation, "ticket_issued"), "session", id);
    error = operation_commit(operation);
    if (error != OK)
        return error;
    return sessions_issue_word(operation, &operation->gate->tickets, "ticket_issued", surface, id,
                               out, expires_at);
}
