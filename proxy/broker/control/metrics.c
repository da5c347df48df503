#include "broker/control/metrics.h"

#include "system/lockdown.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* The order in which they are shown. */
enum {
    BUILD_INFO,
    UPTIME,
    SESSIONS_ACTIVE,
    WORKER_RESTARTS,
    OPERATORS_REFUSED,
    AUDIT_LOST,
    AUDIT_SUPPRESSED,
    LOCKDOWN,
    CONNECTIONS,
    SURFACE_KILLED,
    ADMITTED,
    DENIED,
    MESSAGES_FORWARDED,
    MESSAGES_REFUSED,
    QUOTA_REFUSED,
    QUOTA_GAVE_WAY,
    DENIALS,
    COUNT
};

const struct metric metrics[] = {
    [BUILD_INFO] = {"sidelock_build_info", "gauge", "version", "Version"},
    [UPTIME] = {"sidelock_uptime_seconds", "gauge", NULL, "Seconds since start"},
    [SESSIONS_ACTIVE] = {"sidelock_sessions_active", "gauge", NULL, "Sessions that are good now"},
    [WORKER_RESTARTS] = {"sidelock_worker_restarts_total", "counter", NULL,
                         "Workers that had to be replaced"},
    [OPERATORS_REFUSED] = {"sidelock_operators_refused_total", "counter", NULL,
                           "Connections to the control socket by others than operators"},
    [AUDIT_LOST] = {"sidelock_audit_lost_total", "counter", NULL,
                    "Audit lines that could not be written"},
    [AUDIT_SUPPRESSED] = {"sidelock_audit_suppressed_total", "counter", NULL,
                          "Audit lines that were only counted, their client having had its share"},
    [LOCKDOWN] = {"sidelock_lockdown", "gauge", NULL, "1 while the order to serve nothing stands"},
    [CONNECTIONS] = {"sidelock_connections", "gauge", "surface", "Live connections"},
    [SURFACE_KILLED] = {"sidelock_surface_killed", "gauge", "surface",
                        "1 while the kill switch is on"},
    [ADMITTED] = {"sidelock_admitted_total", "counter", "surface", "Requests admitted"},
    [DENIED] = {"sidelock_denied_total", "counter", "surface", "Requests denied"},
    [MESSAGES_FORWARDED] = {"sidelock_messages_forwarded_total", "counter", "surface",
                            "Messages forwarded"},
    [MESSAGES_REFUSED] = {"sidelock_messages_refused_total", "counter", "surface",
                          "Messages refused, or in observe mode recorded as such"},
    [QUOTA_REFUSED] = {"sidelock_quota_refused_total", "counter", "surface, quota, per",
                       "What was refused because one party had its share"},
    [QUOTA_GAVE_WAY] = {"sidelock_quota_gave_way_total", "counter", "surface, quota, per",
                        "What one party lost because it had its share"},
    [DENIALS] = {"sidelock_denials_total", "counter", "reason, cause", "Denials by reason"},
};

const size_t metric_count = COUNT;

/* What a surface counts by itself. */
static const struct {
    unsigned metric;
    size_t offset;
} counters[] = {
    {ADMITTED, offsetof(struct surface_state, admitted)},
    {DENIED, offsetof(struct surface_state, denied)},
    {MESSAGES_FORWARDED, offsetof(struct surface_state, messages_forwarded)},
    {MESSAGES_REFUSED, offsetof(struct surface_state, messages_refused)},
};

static void write_header(struct buffer *out, unsigned metric)
{
    const struct metric *row = &metrics[metric];

    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                         row->type);
}

static void write_metric(struct buffer *out, unsigned metric, uint64_t value)
{
    write_header(out, metric);
    buffer_append_format(out, "%s %" PRIu64 "\n", metrics[metric].name, value);
}

static void write_of(struct buffer *out, unsigned metric, const struct surface_state *surface,
                     uint64_t value)
{
    buffer_append_format(out, "%s{surface=\"%s\"} %" PRIu64 "\n", metrics[metric].name,
                         surface->config->name, value);
}

static void write_surfaces(struct buffer *out, const struct gate *gate)
{
    struct surface_state *const *all = gate->surfaces.live;
    size_t count = gate->surfaces.count;

    write_header(out, CONNECTIONS);
    for (size_t i = 0; i < count; i++)
        write_of(out, CONNECTIONS, all[i], connections_of_surface(&gate->connections, all[i]));
    write_header(out, SURFACE_KILLED);
    for (size_t i = 0; i < count; i++)
        write_of(out, SURFACE_KILLED, all[i], all[i]->killed);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        write_header(out, counters[i].metric);
        for (size_t j = 0; j < count; j++) {
            uint64_t value;

            memcpy(&value, (const char *)all[j] + counters[i].offset, sizeof(value));
            write_of(out, counters[i].metric, all[j], value);
        }
    }
}

static void write_quotas(struct buffer *out, const struct gate *gate, unsigned metric,
                         size_t offset)
{
    write_header(out, metric);
    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];
        uint32_t slot = surfaces_index(&gate->surfaces, surface);
        const char *counts = (const char *)quotas_counts(gate->quotas, slot) + offset;

        for (enum quota row = 0; row < QUOTA_COUNT; row++) {
            uint64_t count;

            memcpy(&count, counts + row * sizeof(count), sizeof(count));
            if (count > 0)
                buffer_append_format(
                    out, "%s{surface=\"%s\",quota=\"%s\",per=\"%s\"} %" PRIu64 "\n",
                    metrics[metric].name, surface->config->name, quota_info(row)->name,
                    quota_per_text(quota_info(row)->per), count);
        }
    }
}

static void write_denials(struct buffer *out, const uint64_t *by_reason)
{
    write_header(out, DENIALS);
    for (size_t i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);

        if (by_reason[i] == 0)
            continue;
        buffer_append_format(out, "%s{reason=\"%s\"", metrics[DENIALS].name, info->code);
        if (info->cause != NULL)
            buffer_append_format(out, ",cause=\"%s\"", info->cause);
        buffer_append_format(out, "} %" PRIu64 "\n", by_reason[i]);
    }
}

void control_metrics(struct buffer *out, const struct gate *gate, size_t sessions_active,
                     int64_t now)
{
    int64_t uptime = now > gate->started_at ? now - gate->started_at : 0;

    write_header(out, BUILD_INFO);
    buffer_append_format(out, "%s{version=\"%s\"} 1\n", metrics[BUILD_INFO].name, SIDELOCK_VERSION);
    write_metric(out, UPTIME, (uint64_t)uptime);
    write_metric(out, SESSIONS_ACTIVE, sessions_active);
    write_metric(out, WORKER_RESTARTS, workers_restarts(gate->workers));
    write_metric(out, OPERATORS_REFUSED, gate->operators_refused);
    write_metric(out, AUDIT_LOST, audit_lost(gate->audit));
    write_metric(out, AUDIT_SUPPRESSED, gate->lines.suppressed);
    write_metric(out, LOCKDOWN, lockdown_stands(gate->surfaces.config->state_dir));
    write_surfaces(out, gate);
    write_quotas(out, gate, QUOTA_REFUSED, offsetof(struct quota_counts, refused));
    write_quotas(out, gate, QUOTA_GAVE_WAY, offsetof(struct quota_counts, gave_way));
    write_denials(out, gate->denials);
}
