#include "broker/core/service_log.h"

#include "broker/core/journal.h"

#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

/* A launcher that was taken over causes no more lines than a client does. */
static struct audit *begin(struct gate *gate, const char *event,
                           const struct surface_state *surface)
{
    struct audit *line = journal_begin(gate, event, lines_client(NULL, true, geteuid()));

    audit_text(line, "surface", surface->config->name);
    if (surface->service.pid > 0)
        audit_number(line, "pid", surface->service.pid);
    return line;
}

void service_log_start(struct gate *gate, const struct surface_state *surface)
{
    journal_commit(begin(gate, "service_started", surface));
}

void service_log_state(struct gate *gate, const struct surface_state *surface)
{
    struct audit *line;

    if (surface->service.state == SERVICE_READY) {
        line = begin(gate, "service_ready", surface);
        audit_text(line, "ports", surface->service.ports);
    } else if (surface->service.state == SERVICE_EXPOSED) {
        line = begin(gate, "service_exposed", surface);
        audit_reason(line, REASON_SERVICE_EXPOSED);
        audit_text(line, "why", surface->service.why);
    } else {
        return;
    }
    journal_commit(line);
}

void service_log_stranger(struct gate *gate, const struct surface_state *surface)
{
    struct audit *line = begin(gate, "upstream_refused", surface);

    audit_reason(line, REASON_UPSTREAM_OWNER);
    audit_text(line, "why", surface->service.why);
    journal_commit(line);
}

void service_log_idle(struct gate *gate, const struct surface_state *surface)
{
    journal_commit(begin(gate, "service_idle", surface));
}

void service_log_end(struct gate *gate, const struct surface_state *surface, int status,
                     const char *failed)
{
    struct audit *line = begin(gate, "service_ended", surface);

    audit_reason(line, REASON_SERVICE_DOWN);
    if (failed[0] != '\0')
        audit_text(line, "why", failed);
    else if (WIFSIGNALED(status))
        audit_number(line, "signal", WTERMSIG(status));
    else
        audit_number(line, "exit_code", WEXITSTATUS(status));
    journal_commit(line);
}

void service_log_execution(struct gate *gate, const struct surface_state *surface, const char *path)
{
    struct audit *line = begin(gate, "execution_refused", surface);

    audit_reason(line, REASON_PROGRAM_OF_SERVICE);
    if (path[0] != '\0')
        audit_text(line, "path", path);
    else
        audit_text(line, "why", "more files, which are not told until it starts again");
    journal_commit(line);
}

void service_log_limit(struct gate *gate, const struct surface_state *surface,
                       enum service_limit limit)
{
    struct audit *line = begin(gate, "limit_reached", surface);

    audit_reason(line,
                 limit == SERVICE_LIMIT_MEMORY ? REASON_SERVICE_MEMORY : REASON_SERVICE_PROCESSES);
    journal_commit(line);
}

void service_log_connection(struct gate *gate, const struct surface_state *surface,
                            const char *address, uint32_t where)
{
    struct audit *line = begin(gate, "connection_refused", surface);
    const uint32_t protocol = where >> 16;

    audit_reason(line, REASON_OUT_OF_REACH);
    if (address[0] != '\0') {
        audit_text(line, "address", address);
        if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
            audit_number(line, "port", where & UINT16_MAX);
            audit_text(line, "protocol", protocol == IPPROTO_TCP ? "tcp" : "udp");
        }
    } else {
        audit_text(line, "why", "more addresses, which are not told until it starts again");
    }
    journal_commit(line);
}

void service_log_refused(struct gate *gate, const struct surface_state *surface,
                         const char *session, enum quota row)
{
    struct audit *audit =
        journal_begin(gate, "process_refused", lines_client(session, false, UINT32_MAX));

    quotas_counts(gate->quotas, surfaces_index(&gate->surfaces, surface))->refused[row]++;
    audit_text(audit, "surface", surface->config->name);
    audit_text(audit, "session", session);
    audit_reason(audit, quota_info(row)->reason);
    audit_text(audit, "row", quota_info(row)->name);
    if (audit != NULL)
        journal_commit_later(audit);
}
