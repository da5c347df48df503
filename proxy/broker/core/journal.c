#include "broker/core/journal.h"

#include <string.h>
#include <time.h>

struct audit *journal_begin(struct gate *gate, const char *event, struct lines_client client)
{
    /* While none can be written each is lost and counted as such: a grant may hang on it. */
    if (!audit_failing(gate->audit) &&
        !lines_may(&gate->lines, gate->audit, event, &client, uv_now(&gate->loop)))
        return NULL;
    audit_begin(gate->audit, event);
    return gate->audit;
}

struct audit *journal_begin_denial(struct gate *gate, struct surface_state *surface,
                                   enum reason reason, struct lines_client client)
{
    surface->denied++;
    gate->denials[reason]++;
    return journal_begin(gate, "denied", client);
}

/* Of one that listens by itself the launcher says what a dial came to, and no other denial is due
 * to it. */
static bool is_of_dial(const struct surface_state *surface, enum reason reason)
{
    if (surface->config->upstream_tcp.host != NULL)
        return reason == REASON_UPSTREAM_BUSY || reason == REASON_UPSTREAM_UNREACHABLE ||
               reason == REASON_SOCKET_DEAF;
    return surface->config->upstream_socket != NULL &&
           (reason == REASON_UPSTREAM_BUSY || reason_same(reason, REASON_UPSTREAM_UNREACHABLE));
}

void journal_upstream(const struct surface_state *surface, enum reason reason, struct audit *audit)
{
    const struct surface *config = surface->config;

    if (surface->upstream_fault == 0 || !is_of_dial(surface, reason))
        return;
    if (config->upstream_socket != NULL)
        audit_text(audit, "socket", config->upstream_socket);
    else
        audit_text(audit, "address", config->upstream_tcp.text);
    audit_text(audit, "errno", strerrorname_np(surface->upstream_fault));
}

void journal_suppress(struct gate *gate, const char *event, struct lines_client client,
                      uint64_t count)
{
    lines_suppress(&gate->lines, event, &client, count, uv_now(&gate->loop));
}

void journal_commit(struct audit *audit)
{
    enum error error = audit_commit(audit);

    (void)error; /* counted, and said, by the log itself */
}

void journal_commit_later(struct audit *audit)
{
    enum error error = audit_commit_later(audit);

    (void)error;
}

bool journal_commit_grant(const struct gate *gate, struct audit *audit)
{
    return audit_commit(audit) == OK ||
           gate->surfaces.config->on_audit_failure == AUDIT_FAILURE_CONTINUE;
}

void journal_time(int64_t seconds, char out[JOURNAL_TIME_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm utc;

    if (gmtime_r(&when, &utc) == NULL || strftime(out, JOURNAL_TIME_SIZE, "%FT%TZ", &utc) == 0)
        out[0] = '\0';
}
