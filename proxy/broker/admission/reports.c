/*
 * What workers tell: denials, refusals, ends and counts, for the audit log and the counters.
 * Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/admission/word.h"
#include "broker/core/journal.h"
#include "policy/own_path.h"
#include "policy/stray.h"

/* The connection that a report is about: one that this very worker was granted, there. */
static struct connection_entry *find(const struct gate *gate, struct incarnation from,
                                     const struct surface_state *surface, uint64_t connection)
{
    struct connection_entry *entry = connections_find(&gate->connections, from, connection);

    return entry != NULL && entry->surface == surface ? entry : NULL;
}

/* Begins a line about a surface (journal_begin); it is still to be ended. */
static struct audit *begin_line(struct gate *gate, const char *event,
                                const struct surface_state *surface, const char *session)
{
    struct audit *audit = journal_begin(gate, event, lines_client(session, false, 0));

    audit_text(audit, "surface", surface->config->name);
    return audit;
}

/* Whence the client came, where that is not this machine. */
static void append_peer(struct audit *audit, const char *peer)
{
    if (peer != NULL && peer[0] != '\0')
        audit_text(audit, "peer", peer);
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
    const struct connection_entry *entry = NULL;
    struct audit *audit;

    if (denied->connection != 0) {
        entry = find(gate, from, surface, denied->connection);
        if (entry == NULL)
            return ERROR_SYNTAX;
    }
    revoke_astray(&astray, denied->target);
    audit = begin_denial(gate, surface, denied->reason,
                         lines_client(entry != NULL ? entry->session_id : NULL, denied->caller_told,
                                      denied->caller_uid_told));
    audit_text(audit, "request_id", denied->request_id);
    audit_text(audit, "method", denied->method);
    audit_text(audit, "path", denied->path);
    audit_text(audit, "host", denied->host);
    if (astray.session[0] != '\0' || entry != NULL)
        audit_text(audit, "session",
                   astray.session[0] != '\0' ? astray.session : entry->session_id);
    if (entry != NULL)
        append_peer(audit, entry->peer);
    else if (denied->peer_told != NULL && denied->peer_told[0] != '\0')
        audit_text(audit, "peer_told", denied->peer_told);
    if (denied->caller_told)
        audit_number(audit, "caller_uid_told", denied->caller_uid_told);
    audit_reason(audit, denied->reason);
    audit_text(audit, "seen", denied->seen);
    journal_upstream(surface, denied->reason, audit);
    journal_commit_later(audit);
    return OK;
}

enum error reports_take_refused(struct gate *gate, struct incarnation from,
                                struct surface_state *surface, const void *message)
{
    const struct ipc_refused *refused = message;
    const struct connection_entry *entry = find(gate, from, surface, refused->connection);
    struct audit *audit;

    if (entry == NULL)
        return ERROR_SYNTAX;
    audit = begin_line(gate, refused->observed ? "message_observed" : "message_refused", surface,
                       entry->session_id);
    audit_text(audit, "session", entry->session_id);
    audit_number(audit, "connection", (int64_t)entry->id);
    append_peer(audit, entry->peer);
    audit_text(audit, "direction", refused->direction == 0 ? "c2s" : "s2c");
    audit_reason(audit, refused->reason);
    audit_text(audit, "verb", refused->verb);
    audit_text(audit, "target", refused->target);
    journal_commit_later(audit);
    return OK;
}

/* As many messages as this were refused beyond the lines that a session may have. */
enum error reports_take_suppressed(struct gate *gate, struct incarnation from,
                                   struct surface_state *surface, const void *message)
{
    const struct ipc_suppressed *suppressed = message;
    bool observed = surface->config->mode == MODE_OBSERVE;

    (void)from;
    if (!word_is_session(suppressed->session_id))
        return ERROR_SYNTAX;
    journal_suppress(gate, observed ? "message_observed" : "message_refused",
                     lines_client(suppressed->session_id, false, 0), suppressed->count);
    return OK;
}

static void log_closed(struct gate *gate, struct surface_state *surface,
                       const struct connection_entry *entry, const struct ipc_closed *closed)
{
    struct audit *audit = closed->opened ? begin_line(gate, "closed", surface, entry->session_id)
                                         : begin_denial(gate, surface, closed->reason,
                                                        lines_client(entry->session_id, false, 0));

    audit_text(audit, "session", entry->session_id);
    audit_number(audit, "connection", (int64_t)entry->id);
    append_peer(audit, entry->peer);
    audit_reason(audit, closed->reason);
    if (closed->opened) {
        if (closed->requests > 0)
            audit_number(audit, "requests", (int64_t)closed->requests);
        else
            audit_number(audit, "close_code", closed->close_code);
        audit_number(audit, "messages_c2s", (int64_t)closed->messages_c2s);
        audit_number(audit, "messages_s2c", (int64_t)closed->messages_s2c);
    } else {
        audit_text(audit, "request_id", closed->request_id);
        audit_text(audit, "path", closed->path);
        audit_text(audit, "host", closed->host);
        audit_text(audit, "seen", closed->seen);
    }
    journal_commit_later(audit);
}

/* A connection that was admitted but never opened counts as denied after all. */
enum error reports_take_closed(struct gate *gate, struct incarnation from,
                               struct surface_state *surface, const void *message)
{
    const struct ipc_closed *closed = message;
    struct connection_entry *entry = find(gate, from, surface, closed->connection);

    if (entry == NULL)
        return ERROR_SYNTAX;
    log_closed(gate, surface, entry, closed);
    connections_remove(&gate->connections, entry);
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
    surface->requests += counts->requests;
    histogram_add(&surface->service_time, &counts->service);
    journal_suppress(gate, "denied", lines_client(NULL, false, 0), counts->denied);
    quota_count(quotas_counts(gate->quotas, counts->surface), &counts->quotas);
    return OK;
}
