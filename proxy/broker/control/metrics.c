#include "broker/control/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* Counters, each with a value for each surface: where it lies in `struct surface_state`. */
static const struct {
    const char *name, *help;
    size_t offset;
} counters[] = {
    {"sidelock_admitted_total", "Requests admitted", offsetof(struct surface_state, admitted)},
    {"sidelock_denied_total", "Requests denied", offsetof(struct surface_state, denied)},
    {"sidelock_messages_forwarded_total", "Messages forwarded",
     offsetof(struct surface_state, messages_forwarded)},
    {"sidelock_messages_refused_total", "Messages refused, or in observe mode recorded as such",
     offsetof(struct surface_state, messages_refused)},
};

static void header(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buffer *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    header(out, name, type, help);
    buffer_append_format(out, "%s %" PRIu64 "\n", name, value);
}

static void of_surface(struct buffer *out, const char *name, const struct surface_state *surface,
                       uint64_t value)
{
    buffer_append_format(out, "%s{surface=\"%s\"} %" PRIu64 "\n", name, surface->config->name,
                         value);
}

static void append_surfaces(struct buffer *out, const struct gate *gate)
{
    const struct surface_state *all = gate->surfaces->items;
    size_t count = gate->surfaces->config->surface_count;

    header(out, "sidelock_connections", "gauge", "Live connections");
    for (size_t i = 0; i < count; i++)
        of_surface(out, "sidelock_connections", &all[i],
                   connections_count(gate->connections, &all[i], NULL));
    header(out, "sidelock_surface_killed", "gauge", "1 while the kill switch is on");
    for (size_t i = 0; i < count; i++)
        of_surface(out, "sidelock_surface_killed", &all[i], all[i].killed);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        header(out, counters[i].name, "counter", counters[i].help);
        for (size_t j = 0; j < count; j++) {
            uint64_t value;

            memcpy(&value, (const char *)&all[j] + counters[i].offset, sizeof(value));
            of_surface(out, counters[i].name, &all[j], value);
        }
    }
}

void metrics_append(struct buffer *out, const struct gate *gate, size_t sessions_active,
                    int64_t now)
{
    const uint64_t *by_reason = gate->denials->by_reason;

    header(out, "sidelock_build_info", "gauge", "Version");
    buffer_append_format(out, "sidelock_build_info{version=\"%s\"} 1\n", SIDELOCK_VERSION);
    single(out, "sidelock_uptime_seconds", "gauge", "Seconds since start",
           (uint64_t)(now > gate->started_at ? now - gate->started_at : 0));
    single(out, "sidelock_sessions_active", "gauge", "Sessions that are good now", sessions_active);
    single(out, "sidelock_worker_restarts_total", "counter", "Workers that had to be replaced",
           workers_restarts(gate->workers));
    append_surfaces(out, gate);
    header(out, "sidelock_denials_total", "counter", "Denials by reason");
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (by_reason[i] > 0)
            buffer_append_format(out, "sidelock_denials_total{reason=\"%s\"} %" PRIu64 "\n",
                                 reason_info((enum reason)i)->code, by_reason[i]);
    }
}
