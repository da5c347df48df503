#include "broker/admission/reports.h"

#include "base/log.h"
#include "broker/admission/admit.h"
#include "broker/core/workers.h"

static void commit(struct broker *broker)
{
    if (audit_commit(broker->audit) != OK)
        log_error("the audit log cannot be written");
}

void reports_suppressed(struct broker *broker)
{
    uint64_t suppressed = denials_take_suppressed(&broker->denials);

    if (suppressed == 0)
        return;
    audit_begin(broker->audit, "denied_suppressed");
    audit_number(broker->audit, "count", (int64_t)suppressed);
    commit(broker);
}

bool reports_count_denial(struct broker *broker, struct broker_surface *surface, enum reason reason)
{
    surface->denied++;
    broker->denied_by_reason[reason]++;
    if (!denials_may_log(&broker->denials, uv_now(broker->loop)))
        return false;
    reports_suppressed(broker);
    return true;
}

static struct broker_surface *surface_at(struct broker *broker, uint32_t index)
{
    return index < broker->config->surface_count ? &broker->surfaces[index] : NULL;
}

static enum error on_denied(struct broker *broker, const void *bytes, size_t length)
{
    char session[TOKEN_ID_SIZE] = "", token[TOKEN_BYTES_MAX + 1];
    struct broker_surface *surface;
    struct ipc_denied denied;

    if (ipc_decode_denied(bytes, length, &denied) != OK)
        return ERROR_SYNTAX;
    surface = surface_at(broker, denied.surface);
    if (surface == NULL)
        return ERROR_SYNTAX;
    if (admission_token_in_query(denied.query, token, sizeof(token)))
        admit_revoke_leaked(broker, token, session);
    secret_wipe(token, sizeof(token));
    if (!reports_count_denial(broker, surface, denied.reason))
        return OK;
    audit_begin(broker->audit, "denied");
    audit_text(broker->audit, "surface", surface->config->name);
    audit_text(broker->audit, "request_id", denied.request_id);
    audit_text(broker->audit, "path", denied.path);
    if (session[0] != '\0' || denied.session_id != NULL)
        audit_text(broker->audit, "session", session[0] != '\0' ? session : denied.session_id);
    if (denied.caller_known)
        audit_number(broker->audit, "caller_uid", denied.caller_uid);
    audit_reason(broker->audit, denied.reason);
    commit(broker);
    return OK;
}

static enum error on_refused(struct broker *broker, unsigned worker, const void *bytes,
                             size_t length)
{
    struct broker_surface *surface;
    struct ipc_refused refused;

    if (ipc_decode_refused(bytes, length, &refused) != OK)
        return ERROR_SYNTAX;
    surface = surface_at(broker, refused.surface);
    if (surface == NULL)
        return ERROR_SYNTAX;
    audit_begin(broker->audit, refused.observed ? "message_observed" : "message_refused");
    audit_text(broker->audit, "surface", surface->config->name);
    audit_text(broker->audit, "session", refused.session_id);
    audit_number(broker->audit, "connection",
                 (int64_t)workers_connection_id(broker->workers, worker, refused.connection));
    audit_text(broker->audit, "direction", refused.direction == 0 ? "c2s" : "s2c");
    audit_reason(broker->audit, refused.reason);
    audit_text(broker->audit, "verb", refused.verb);
    audit_text(broker->audit, "target", refused.target);
    commit(broker);
    return OK;
}

/* A connection that was admitted but never opened counts as denied after all. */
static enum error on_closed(struct broker *broker, unsigned worker, const void *bytes,
                            size_t length)
{
    struct broker_surface *surface;
    struct ipc_closed closed;
    uint64_t id;

    if (ipc_decode_closed(bytes, length, &closed) != OK)
        return ERROR_SYNTAX;
    surface = surface_at(broker, closed.surface);
    if (surface == NULL)
        return ERROR_SYNTAX;
    id = workers_connection_id(broker->workers, worker, closed.connection);
    connections_remove(broker->connections, id);
    if (!closed.opened && !reports_count_denial(broker, surface, closed.reason))
        return OK;
    audit_begin(broker->audit, closed.opened ? "closed" : "denied");
    audit_text(broker->audit, "surface", surface->config->name);
    audit_text(broker->audit, "session", closed.session_id);
    audit_number(broker->audit, "connection", (int64_t)id);
    audit_reason(broker->audit, closed.reason);
    if (closed.opened) {
        if (closed.requests > 0)
            audit_number(broker->audit, "requests", (int64_t)closed.requests);
        else
            audit_number(broker->audit, "close_code", closed.close_code);
        audit_number(broker->audit, "messages_c2s", (int64_t)closed.messages_c2s);
        audit_number(broker->audit, "messages_s2c", (int64_t)closed.messages_s2c);
    }
    commit(broker);
    return OK;
}

static enum error on_counts(struct broker *broker, const void *bytes, size_t length)
{
    struct broker_surface *surface;
    struct ipc_counts counts;

    if (ipc_decode_counts(bytes, length, &counts) != OK)
        return ERROR_SYNTAX;
    surface = surface_at(broker, counts.surface);
    if (surface == NULL)
        return ERROR_SYNTAX;
    surface->messages_forwarded += counts.forwarded;
    surface->messages_refused += counts.refused;
    return OK;
}

enum error reports_message(struct broker *broker, unsigned worker, enum ipc_type type,
                           const void *bytes, size_t length)
{
    switch (type) {
    case IPC_DENIED:
        return on_denied(broker, bytes, length);
    case IPC_REFUSED:
        return on_refused(broker, worker, bytes, length);
    case IPC_CLOSED:
        return on_closed(broker, worker, bytes, length);
    case IPC_COUNTS:
        return on_counts(broker, bytes, length);
    default:
        return ERROR_SYNTAX;
    }
}
