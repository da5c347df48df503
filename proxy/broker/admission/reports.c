/*
 * What workers tell: denials, refusals, ends and counts, for the audit log and the counters.
 * Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/core/journal.h"
#include "policy/admission.h"

static bool count_denial(struct gate *gate, struct surface_state *surface, enum reason reason)
{
    return denials_count(&gate->denials, surface, reason, gate->audit, uv_now(&gate->loop));
}

/* Begins a line about a surface; it is still to be ended. */
static struct audit *begin_line(struct gate *gate, const char *event,
                                const struct surface_state *surface)
{
    audit_begin(gate->audit, event);
    audit_text(gate->audit, "surface", surface->config->name);
    return gate->audit;
}

/* A token in the query ends its session; of which the line then tells. */
static void revoke_leaked(struct gate *gate, const char *query, char session[TOKEN_ID_SIZE])
{
    char token[TOKEN_BYTES_MAX + 1];

    if (!admission_token_in_query(query, token, sizeof(token)))
        return;
    authenticate_revoke_leaked(gate, token, session);
    secret_wipe(token, sizeof(token));
}

enum error reports_take_denied(struct gate *gate, struct incarnation from,
                               struct surface_state *surface, const void *message)
{
    char leaked[TOKEN_ID_SIZE] = "";
    const struct ipc_denied *denied = message;
    struct audit *audit;

    (void)from;
    revoke_leaked(gate, denied->query, leaked);
    if (!count_denial(gate, surface, denied->reason))
        return OK;
    audit = begin_line(gate, "denied", surface);
    audit_text(audit, "request_id", denied->request_id);
    audit_text(audit, "path", denied->path);
    audit_text(audit, "session", leaked[0] != '\0' ? leaked : denied->session_id);
    if (denied->caller_known)
        audit_number(audit, "caller_uid", denied->caller_uid);
    audit_reason(audit, denied->reason);
    journal_commit(audit);
    return OK;
}

enum error reports_take_refused(struct gate *gate, struct incarnation from,
                                struct surface_state *surface, const void *message)
{
    const struct ipc_refused *refused = message;
    struct audit *audit;

    audit = begin_line(gate, refused->observed ? "message_observed" : "message_refused", surface);
    audit_text(audit, "session", refused->session_id);
    audit_number(audit, "connection",
                 (int64_t)workers_connection_id(gate->workers, from, refused->connection));
    audit_text(audit, "direction", refused->direction == 0 ? "c2s" : "s2c");
    audit_reason(audit, refused->reason);
    audit_text(audit, "verb", refused->verb);
    audit_text(audit, "target", refused->target);
    journal_commit(audit);
    return OK;
}

/* A connection that was admitted but never opened counts as denied after all. */
enum error reports_take_closed(struct gate *gate, struct incarnation from,
                               struct surface_state *surface, const void *message)
{
    const struct ipc_closed *closed = message;
    struct audit *audit;
    uint64_t id;

    id = workers_connection_id(gate->workers, from, closed->connection);
    connections_remove(&gate->connections, id);
    if (!closed->opened && !count_denial(gate, surface, closed->reason))
        return OK;
    audit = begin_line(gate, closed->opened ? "closed" : "denied", surface);
    audit_text(audit, "session", closed->session_id);
    audit_number(audit, "connection", (int64_t)id);
    audit_reason(audit, closed->reason);
    if (closed->opened) {
        if (closed->requests > 0)
            audit_number(audit, "requests", (int64_t)closed->requests);
        else
            audit_number(audit, "close_code", closed->close_code);
        audit_number(audit, "messages_c2s", (int64_t)closed->messages_c2s);
        audit_number(audit, "messages_s2c", (int64_t)closed->messages_s2c);
    }
    journal_commit(audit);
    return OK;
}

enum error reports_take_counts(struct gate *gate, struct incarnation from,
                               struct surface_state *surface, const void *message)
{
    const struct ipc_counts *counts = message;

    (void)gate;
    (void)from;
    surface->messages_forwarded += counts->forwarded;
    surface->messages_refused += counts->refused;
    return OK;
}
