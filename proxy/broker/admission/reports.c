/*
 * What workers tell: denials, refusals, ends and counts, for the audit log and the counters.
 * Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/admission/authenticate.h"
#include "broker/core/journal.h"
#include "policy/admission.h"

static bool count_denial(struct admission *admission, struct surface_state *surface,
                         enum reason reason)
{
    return denials_count(admission->denials, surface, reason, admission->audit,
                         uv_now(admission->loop));
}

/* Begins a line about a surface; it is still to be ended. */
static struct audit *begin_line(struct admission *admission, const char *event,
                                const struct surface_state *surface)
{
    audit_begin(admission->audit, event);
    audit_text(admission->audit, "surface", surface->config->name);
    return admission->audit;
}

/* A token in the query ends its session; of which the line then tells. */
static void revoke_leaked(struct admission *admission, const char *query,
                          char session[TOKEN_ID_SIZE])
{
    char token[TOKEN_BYTES_MAX + 1];

    if (!admission_token_in_query(query, token, sizeof(token)))
        return;
    authenticate_revoke_leaked(admission, token, session);
    secret_wipe(token, sizeof(token));
}

enum error reports_take_denied(struct admission *admission, unsigned worker, const void *bytes,
                               size_t length)
{
    char leaked[TOKEN_ID_SIZE] = "";
    struct surface_state *surface;
    struct ipc_denied denied;
    struct audit *audit;

    (void)worker;
    if (ipc_decode_denied(bytes, length, &denied) != OK ||
        (surface = surfaces_at(admission->surfaces, denied.surface)) == NULL)
        return ERROR_SYNTAX;
    revoke_leaked(admission, denied.query, leaked);
    if (!count_denial(admission, surface, denied.reason))
        return OK;
    audit = begin_line(admission, "denied", surface);
    audit_text(audit, "request_id", denied.request_id);
    audit_text(audit, "path", denied.path);
    audit_text(audit, "session", leaked[0] != '\0' ? leaked : denied.session_id);
    if (denied.caller_known)
        audit_number(audit, "caller_uid", denied.caller_uid);
    audit_reason(audit, denied.reason);
    journal_commit(audit);
    return OK;
}

enum error reports_take_refused(struct admission *admission, unsigned worker, const void *bytes,
                                size_t length)
{
    struct surface_state *surface;
    struct ipc_refused refused;
    struct audit *audit;

    if (ipc_decode_refused(bytes, length, &refused) != OK ||
        (surface = surfaces_at(admission->surfaces, refused.surface)) == NULL)
        return ERROR_SYNTAX;
    audit =
        begin_line(admission, refused.observed ? "message_observed" : "message_refused", surface);
    audit_text(audit, "session", refused.session_id);
    audit_number(audit, "connection",
                 (int64_t)workers_connection_id(admission->workers, worker, refused.connection));
    audit_text(audit, "direction", refused.direction == 0 ? "c2s" : "s2c");
    audit_reason(audit, refused.reason);
    audit_text(audit, "verb", refused.verb);
    audit_text(audit, "target", refused.target);
    journal_commit(audit);
    return OK;
}

/* A connection that was admitted but never opened counts as denied after all. */
enum error reports_take_closed(struct admission *admission, unsigned worker, const void *bytes,
                               size_t length)
{
    struct surface_state *surface;
    struct ipc_closed closed;
    struct audit *audit;
    uint64_t id;

    if (ipc_decode_closed(bytes, length, &closed) != OK ||
        (surface = surfaces_at(admission->surfaces, closed.surface)) == NULL)
        return ERROR_SYNTAX;
    id = workers_connection_id(admission->workers, worker, closed.connection);
    connections_remove(admission->connections, id);
    if (!closed.opened && !count_denial(admission, surface, closed.reason))
        return OK;
    audit = begin_line(admission, closed.opened ? "closed" : "denied", surface);
    audit_text(audit, "session", closed.session_id);
    audit_number(audit, "connection", (int64_t)id);
    audit_reason(audit, closed.reason);
    if (closed.opened) {
        if (closed.requests > 0)
            audit_number(audit, "requests", (int64_t)closed.requests);
        else
            audit_number(audit, "close_code", closed.close_code);
        audit_number(audit, "messages_c2s", (int64_t)closed.messages_c2s);
        audit_number(audit, "messages_s2c", (int64_t)closed.messages_s2c);
    }
    journal_commit(audit);
    return OK;
}

enum error reports_take_counts(struct admission *admission, unsigned worker, const void *bytes,
                               size_t length)
{
    struct surface_state *surface;
    struct ipc_counts counts;

    (void)worker;
    if (ipc_decode_counts(bytes, length, &counts) != OK ||
        (surface = surfaces_at(admission->surfaces, counts.surface)) == NULL)
        return ERROR_SYNTAX;
    surface->messages_forwarded += counts.forwarded;
    surface->messages_refused += counts.refused;
    return OK;
}
