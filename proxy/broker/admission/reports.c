/*
 * What workers tell: denials, refusals, ends and counts, for the audit log and the counters.
 * Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/core/journal.h"
#include "policy/own_path.h"
#include "policy/stray.h"

/* Begins a line about a surface (journal_begin); it is still to be ended. */
static struct audit *begin_line(struct gate *gate, const char *event,
                                const struct surface_state *surface, const char *session)
{
    struct audit *audit = journal_begin(gate, event, lines_client(session, false, 0));

    audit_text(audit, "surface", surface->config->name);
    return audit;
}

/* Begins the line of a denial. */
static struct audit *begin_denial(struct gate *gate, struct surface_state *surface,
                                  enum reason reason, struct lines_client client)
{
    struct audit *audit = journal_begin_denial(gate, surface, reason, client);

    audit_text(audit, "surface", surface->config->name);
    return audit;
}

/* Whose session the line then tells of. */
struct astray {
    struct gate *gate;
    char session[TOKEN_ID_SIZE];
};

static bool judge_stray(void *context, const struct credential *found)
{
    struct astray *astray = context;

    return authenticate_stray(astray->gate, found, astray->session);
}

/* A credential in the URL of a request that the worker refused ends its session all the same. */
static void revoke_astray(struct astray *astray, const char *target)
{
    struct stray stray = {.judge = judge_stray, .context = astray};

    (void)stray_in(&stray, span_of(target), target != NULL && own_path_is(target));
}

enum error reports_take_denied(struct gate *gate, struct incarnation from,
                               struct surface_state *surface, const void *message)
{
    struct astray astray = {.gate = gate};
    const struct ipc_denied *denied = message;
    struct audit *audit;

    (void)from;
    revoke_astray(&astray, denied->target);
    audit =
        begin_denial(gate, surface, denied->reason,
                     lines_client(denied->session_id, denied->caller_known, denied->caller_uid));
    audit_text(audit, "request_id", denied->request_id);
    audit_text(audit, "path", denied->path);
    audit_text(audit, "session", astray.session[0] != '\0' ? astray.session : denied->session_id);
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

    audit = begin_line(gate, refused->observed ? "message_observed" : "message_refused", surface,
                       refused->session_id);
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

/* As many messages as this were refused beyond the lines that a session may have. */
enum error reports_take_suppressed(struct gate *gate, struct incarnation from,
                                   struct surface_state *surface, const void *message)
{
    const struct ipc_suppressed *suppressed = message;
    bool observed = surface->config->mode == MODE_OBSERVE;
    struct audit *audit;

    (void)from;
    audit =
        begin_line(gate, observed ? "message_observed_suppressed" : "message_refused_suppressed",
                   surface, suppressed->session_id);
    audit_text(audit, "session", suppressed->session_id);
    audit_number(audit, "count", (int64_t)suppressed->count);
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
    audit = closed->opened ? begin_line(gate, "closed", surface, closed->session_id)
                           : begin_denial(gate, surface, closed->reason,
                                          lines_client(closed->session_id, false, 0));
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

    (void)from;
    surface->messages_forwarded += counts->forwarded;
    surface->messages_refused += counts->refused;
    surface->denied += counts->denied;
    journal_suppress(gate, "denied", lines_client(NULL, false, 0), counts->denied);
    quota_count(quotas_counts(gate->quotas, counts->surface), &counts->quotas);
    return OK;
}
