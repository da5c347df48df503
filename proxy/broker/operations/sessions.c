#include "broker/operations/sessions.h"

#include "broker/core/clock.h"
#include "broker/operations/records.h"
#include "vet/vet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_BYTES  ((TOKEN_ID_SIZE - 1) / 2)
#define NO_DIGEST "-" /* of a session without a parameter record */

enum session_state sessions_state(const struct session *session, int64_t now)
{
    if (session->revoked_at != 0)
        return SESSION_REVOKED;
    if (session->expires_at <= now)
        return SESSION_EXPIRED;
    if (session->once && session->used_at != 0)
        return SESSION_USED;
    return SESSION_ACTIVE;
}

struct counting {
    int64_t now;
    size_t active;
};

static void count_active(void *context, const struct session *session)
{
    struct counting *counting = context;

    counting->active += sessions_state(session, counting->now) == SESSION_ACTIVE;
}

enum error sessions_count(struct gate *gate, int64_t now, size_t *out)
{
    struct counting counting = {.now = now};
    enum error error = store_session_each(gate->store, count_active, &counting);

    if (error == OK)
        *out = counting.active;
    return error;
}

static enum error check_list(struct operation *operation, const char *what,
                             const struct text_list *list, size_t max_bytes)
{
    if (list->count > SESSION_LIST_MAX)
        return operation_fail(operation, ERROR_INVALID, "a session names at most %d %ss",
                              SESSION_LIST_MAX, what);
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

static enum error check_request(struct operation *operation, const struct session_request *request)
{
    enum error error;

    if (operation_surface(operation, request->surface) == NULL)
        return ERROR_INVALID;
    error = check_ttl(operation, request->ttl_s);
    if (error != OK)
        return error;
    if (request->caller_count > SESSION_CALLERS_MAX)
        return operation_fail(operation, ERROR_INVALID, "a session names at most %d callers",
                              SESSION_CALLERS_MAX);
    error = check_list(operation, "verb", &request->verbs, VET_VERB_BYTES_MAX);
    if (error == OK)
        error = check_list(operation, "target", &request->targets, VET_TARGET_BYTES_MAX);
    return error;
}

/* The record as stored must be for this surface, and what it runs must still be permitted. */
static enum error check_params(struct operation *operation, const struct session_request *request,
                               char digest[SHA256_HEX_SIZE])
{
    struct store_params stored;
    enum error error = records_find_usable(operation, request->params, &stored);

    if (error != OK)
        return error;
    if (stored.surface[0] != '\0' && strcmp(stored.surface, request->surface) != 0)
        return operation_fail(operation, ERROR_INVALID,
                              "the parameter record %s is for surface %s, not %s", stored.name,
                              stored.surface, request->surface);
    memcpy(digest, stored.digest, SHA256_HEX_SIZE);
    return OK;
}

static enum error copy_list(const struct text_list *from, struct text_list *to)
{
    enum error error = OK;

    for (size_t i = 0; i < from->count && error == OK; i++)
        error = text_list_add(to, from->items[i], strlen(from->items[i]));
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

static enum error fill_session(struct operation *operation, const struct session_request *request,
                               const char *digest, struct session *out)
{
    int64_t now = clock_now();
    enum error error;

    *out = (struct session){.created_by = operation->uid,
                            .created_at = now,
                            .expires_at = now + request->ttl_s,
                            .once = request->once,
                            .verbs_set = request->verbs_set,
                            .targets_set = request->targets_set,
                            .callers_set = request->callers_set,
                            .caller_count = request->caller_count};
    snprintf(out->surface, sizeof(out->surface), "%s", request->surface);
    if (request->params != NULL)
        snprintf(out->params_name, sizeof(out->params_name), "%s", request->params);
    snprintf(out->params_digest, sizeof(out->params_digest), "%s", digest);
    memcpy(out->callers, request->callers, sizeof(out->callers));
    error = random_id(out->id);
    if (error == OK)
        error = random_id(out->token_id);
    if (error == OK)
        error = copy_list(&request->verbs, &out->verbs);
    if (error == OK)
        error = copy_list(&request->targets, &out->targets);
    if (error != OK) {
        session_clear(out);
        operation_fail(operation, error, "the session could not be made: %s", error_text(error));
    }
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

/* Of a session that came to nothing, and of its token, which may be NULL. */
static void discard(struct session *session, char *minted)
{
    session_clear(session);
    if (minted != NULL)
        secret_wipe(minted, strlen(minted));
    free(minted);
}

enum error sessions_create(struct operation *operation, const struct session_request *request,
                           struct session *out, char **token)
{
    char digest[SHA256_HEX_SIZE] = NO_DIGEST;
    char *minted = NULL;
    struct session session;
    enum error error = check_request(operation, request);

    if (error == OK && request->params != NULL)
        error = check_params(operation, request, digest);
    if (error == OK)
        error = fill_session(operation, request, digest, &session);
    if (error != OK)
        return error;

    error = mint(operation, &session, session.created_at, &minted);
    if (error == OK)
        error = log_session(operation, "session_created", &session);
    if (error == OK)
        error = operation_kept(operation, store_session_add(operation->gate->store, &session),
                               "session_created", "keep the session");
    if (error != OK) {
        discard(&session, minted);
        return error;
    }
    *out = session;
    *token = minted;
    return OK;
}

static enum error no_such_session(struct operation *operation)
{
    return operation_fail(operation, ERROR_NOT_FOUND,
                          "there is no such session; `sidelock session list` lists them");
}

/* Says why a session that has ended cannot do any more. */
static enum error ended(struct operation *operation, enum session_state state)
{
    static const struct {
        const char *text;
        enum reason reason;
    } states[] = {[SESSION_ACTIVE] = {"live", REASON_INTERNAL},
                  [SESSION_REVOKED] = {"revoked", REASON_SESSION_REVOKED},
                  [SESSION_EXPIRED] = {"expired", REASON_SESSION_EXPIRED},
                  [SESSION_USED] = {"used", REASON_SESSION_USED}};

    operation->reason = states[state].reason;
    return operation_fail(operation, ERROR_STATE,
                          "the session is %s; make another with `sidelock session create`",
                          states[state].text);
}

enum error sessions_find_live(struct operation *operation, const char *id, struct session *out)
{
    struct session session;
    enum session_state state;
    enum error error = store_session_get(operation->gate->store, id, &session);

    if (error == ERROR_NOT_FOUND)
        return no_such_session(operation);
    if (error != OK)
        return operation_fail_store(operation, error, "read the session");
    state = sessions_state(&session, clock_now());
    if (state != SESSION_ACTIVE) {
        session_clear(&session);
        return ended(operation, state);
    }
    *out = session;
    return OK;
}

enum error sessions_renew(struct operation *operation, const char *id, int64_t ttl_s,
                          struct session *out, char **token)
{
    struct gate *gate = operation->gate;
    int64_t now = clock_now();
    struct session session;
    char *minted = NULL;
    enum error error = check_ttl(operation, ttl_s);

    if (error == OK)
        error = sessions_find_live(operation, id, &session);
    if (error != OK)
        return error;
    session.expires_at = now + ttl_s;
    error = random_id(session.token_id);
    if (error != OK)
        operation_fail(operation, error, "the session was not renewed: %s", error_text(error));
    else
        error = mint(operation, &session, now, &minted);
    if (error == OK)
        error = log_session(operation, "session_renewed", &session);
    if (error == OK)
        error = operation_kept(
            operation,
            store_session_renew(gate->store, id, session.token_id, session.expires_at, now),
            "session_renewed", "keep the session's renewal");
    if (error != OK) {
        discard(&session, minted);
        return error;
    }
    workers_extend_session(gate->workers, id, session.expires_at);
    *out = session;
    *token = minted;
    return OK;
}

enum error sessions_revoke(struct operation *operation, const char *id)
{
    struct gate *gate = operation->gate;
    enum error error = store_session_revoke(gate->store, id, clock_now());

    if (error == ERROR_NOT_FOUND)
        return no_such_session(operation);
    workers_cut_session(gate->workers, id, REASON_SESSION_REVOKED);
    if (error != OK)
        return operation_fail_store(operation, error, "keep that the session is revoked");
    audit_text(operation_line(operation, "session_revoked"), "session", id);
    return operation_commit(operation);
}

enum error sessions_revoke_all(struct operation *operation, const char *surface, size_t *count)
{
    struct gate *gate = operation->gate;
    struct surface_state *found = NULL;
    struct audit *line;
    size_t revoked = 0;
    enum error error;

    if (surface != NULL && (found = operation_surface(operation, surface)) == NULL)
        return ERROR_NOT_FOUND;
    error = store_session_revoke_all(gate->store, surface, clock_now(), &revoked);
    if (found == NULL)
        workers_cut_session(gate->workers, NULL, REASON_SESSION_REVOKED);
    else
        workers_cut_surface(gate->workers, found, REASON_SESSION_REVOKED);
    if (error != OK)
        return operation_fail_store(operation, error, "keep that the sessions are revoked");
    line = operation_line(operation, "sessions_revoked");
    audit_text(line, "surface", surface);
    audit_number(line, "count", (int64_t)revoked);
    error = operation_commit(operation);
    if (error == OK)
        *count = revoked;
    return error;
}

enum error sessions_issue_word(struct operation *operation, struct tickets *words,
                               const char *event, const char *id, char out[TICKET_SIZE],
                               int64_t *expires_at)
{
    int64_t now = clock_now();
    enum error error = tickets_issue(words, id, now, out);

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
    struct session session;
    enum error error = sessions_find_live(operation, id, &session);

    if (error != OK)
        return error;
    session_clear(&session);
    audit_text(operation_line(operation, "ticket_issued"), "session", id);
    error = operation_commit(operation);
    if (error != OK)
        return error;
    return sessions_issue_word(operation, &operation->gate->tickets, "ticket_issued", id, out,
                               expires_at);
}
