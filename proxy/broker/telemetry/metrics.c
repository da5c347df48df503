#include "broker/telemetry/metrics.h"

#include "broker/core/proofs.h"
#include "broker/core/workers.h"
#include "broker/telemetry/health.h"
#include "system/lockdown.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LABELS_SIZE 256

/* The order in which they are shown. */
enum {
    BUILD_INFO,
    UPTIME,
    READY,
    SESSIONS_ACTIVE,
    WORKERS,
    WORKERS_UP,
    WORKER_RESTARTS,
    OPERATORS_REFUSED,
    TELEMETRY_REFUSED,
    AUDIT_LOST,
    AUDIT_SUPPRESSED,
    AUDIT_FAILING,
    LOCKDOWN,
    PROCESS_CPU,
    PROCESS_MEMORY,
    LOOP_LAG,
    CONNECTIONS,
    SURFACE_KILLED,
    UPSTREAM_UP,
    SERVICE_RESTARTS,
    CERTIFICATE_EXPIRY,
    ADMITTED,
    DENIED,
    REQUESTS,
    MESSAGES_FORWARDED,
    MESSAGES_REFUSED,
    ADMISSION,
    SERVICE,
    QUOTA_REFUSED,
    QUOTA_GAVE_WAY,
    DENIALS,
    COUNT
};

const struct metric metrics[] = {
    [BUILD_INFO] = {"sidelock_build_info", "gauge", "version", "Version"},
    [UPTIME] = {"sidelock_uptime_seconds", "gauge", NULL, "Seconds since start"},
    [READY] = {"sidelock_ready", "gauge", NULL,
               "1 while it serves: not all surfaces are killed, all workers are up, and what it "
               "grants can be written to the audit log"},
    [SESSIONS_ACTIVE] = {"sidelock_sessions_active", "gauge", NULL, "Sessions that are good now"},
    [WORKERS] = {"sidelock_workers", "gauge", NULL, "Workers as configured"},
    [WORKERS_UP] = {"sidelock_workers_up", "gauge", NULL, "Workers that are up"},
    [WORKER_RESTARTS] = {"sidelock_worker_restarts_total", "counter", NULL,
                         "Workers that had to be replaced"},
    [OPERATORS_REFUSED] = {"sidelock_operators_refused_total", "counter", NULL,
                           "Connections to the control socket by others than operators"},
    [TELEMETRY_REFUSED] = {"sidelock_telemetry_refused_total", "counter", NULL,
                           "Requests to the telemetry page that were refused"},
    [AUDIT_LOST] = {"sidelock_audit_lost_total", "counter", NULL,
                    "Audit lines that could not be written"},
    [AUDIT_SUPPRESSED] = {"sidelock_audit_suppressed_total", "counter", NULL,
                          "Audit lines that were only counted, their client having had its share"},
    [AUDIT_FAILING] = {"sidelock_audit_failing", "gauge", NULL,
                       "1 while the audit log cannot be written"},
    [LOCKDOWN] = {"sidelock_lockdown", "gauge", NULL, "1 while the order to serve nothing stands"},
    [PROCESS_CPU] = {"sidelock_process_cpu_seconds_total", "counter", "process",
                     "Processor time of the broker and of each worker that is up"},
    [PROCESS_MEMORY] = {"sidelock_process_resident_memory_bytes", "gauge", "process",
                        "Memory of each process of the gate, and of the program of each service "
                        "that it started"},
    [LOOP_LAG] = {"sidelock_loop_lag_seconds", "histogram", "process",
                  "How late a timer of the event loop ran: what a request may have waited for"},
    [CONNECTIONS] = {"sidelock_connections", "gauge", "surface", "Live connections"},
    [SURFACE_KILLED] = {"sidelock_surface_killed", "gauge", "surface",
                        "1 while the kill switch is on"},
    [UPSTREAM_UP] = {"sidelock_upstream_up", "gauge", "surface",
                     "0 while the last connection to its service failed, or the service that "
                     "Sidelock starts is not ready"},
    [SERVICE_RESTARTS] = {"sidelock_service_restarts_total", "counter", "surface",
                          "How often the service was started again"},
    [CERTIFICATE_EXPIRY] = {"sidelock_certificate_expiry_timestamp_seconds", "gauge", "surface",
                            "When its certificate ends, of surfaces that speak TLS"},
    [ADMITTED] = {"sidelock_admitted_total", "counter", "surface", "Requests admitted"},
    [DENIED] = {"sidelock_denied_total", "counter", "surface", "Requests denied"},
    [REQUESTS] = {"sidelock_requests_total", "counter", "surface",
                  "HTTP requests under grants, of which one may cover many"},
    [MESSAGES_FORWARDED] = {"sidelock_messages_forwarded_total", "counter", "surface",
                            "Messages forwarded"},
    [MESSAGES_REFUSED] = {"sidelock_messages_refused_total", "counter", "surface",
                          "Messages refused, or in observe mode recorded as such"},
    [ADMISSION] = {"sidelock_admission_seconds", "histogram", "surface",
                   "From a question to the broker to its verdict, and all that was waited for"},
    [SERVICE] = {"sidelock_service_seconds", "histogram", "surface",
                 "From sending its service an HTTP request to the head of the answer"},
    [QUOTA_REFUSED] = {"sidelock_quota_refused_total", "counter", "surface, quota, per",
                       "What was refused because one party had its share"},
    [QUOTA_GAVE_WAY] = {"sidelock_quota_gave_way_total", "counter", "surface, quota, per",
                        "What one party lost because it had its share"},
    [DENIALS] = {"sidelock_denials_total", "counter", "reason, cause", "Denials by reason"},
};

const size_t metric_count = COUNT;

static void write_metric(struct buffer *out, unsigned metric, uint64_t value)
{
    exposition_header(out, &metrics[metric]);
    exposition_number(out, &metrics[metric], "", value);
}

/* ---- Processes ---- */

static uint64_t own_cpu_us(void)
{
    struct timespec used = {0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

/* Of what each says itself; of one that is not up there is nothing. */
static void write_loops(struct buffer *out, const struct gate *gate, unsigned metric)
{
    const struct vitals *vitals = &gate->vitals;
    const bool lag = metric == LOOP_LAG;
    char labels[LABELS_SIZE] = "process=\"broker\"";

    exposition_header(out, &metrics[metric]);
    if (lag)
        exposition_histogram(out, &metrics[metric], labels, &vitals->loop_lag);
    else
        exposition_duration(out, &metrics[metric], labels, own_cpu_us());
    for (unsigned i = 0; i < gate->surfaces.config->workers; i++) {
        pid_t pid;

        if (workers_proof(gate->workers, i, &pid) == NULL)
            continue;
        snprintf(labels, sizeof(labels), "process=\"worker %u\"", i);
        if (lag)
            exposition_histogram(out, &metrics[metric], labels, &vitals->workers[i].loop_lag);
        else
            exposition_duration(out, &metrics[metric], labels, vitals->workers[i].cpu_us);
    }
}

static void write_memory(struct buffer *out, const struct gate *gate)
{
    exposition_header(out, &metrics[PROCESS_MEMORY]);
    for (size_t i = 0; i < proofs_count(gate); i++) {
        struct proofs_process process;
        char labels[LABELS_SIZE];

        if (!proofs_at(gate, i, &process) || process.found.resident_bytes == 0)
            continue;
        snprintf(labels, sizeof(labels), "process=\"%s\"", process.name);
        exposition_number(out, &metrics[PROCESS_MEMORY], labels, process.found.resident_bytes);
    }
}

static uint64_t count_strays(const struct gate *gate)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < CONFIG_WORKERS_MAX; i++)
        count += gate->vitals.workers[i].strays;
    return count;
}

/* ---- Surfaces ---- */

static uint64_t connections_now(const struct gate *gate, const struct surface_state *surface)
{
    return connections_of_surface(&gate->connections, surface);
}

static uint64_t is_killed(const struct gate *gate, const struct surface_state *surface)
{
    (void)gate;
    return surface->killed;
}

/* One that is started on demand is none the less there. */
static uint64_t is_up(const struct gate *gate, const struct surface_state *surface)
{
    const enum service_state state = surface->service.state;

    (void)gate;
    if (surface->config->command.argument_count > 0 && state != SERVICE_READY &&
        state != SERVICE_IDLE)
        return 0;
    return !surface->upstream_down;
}

static uint64_t restarts(const struct gate *gate, const struct surface_state *surface)
{
    (void)gate;
    return surface->service.restarts;
}

static uint64_t expiry(const struct gate *gate, const struct surface_state *surface)
{
    (void)gate;
    return surface->tls != NULL ? (uint64_t)surface->tls->facts.not_after : 0;
}

static bool is_launched(const struct surface_state *surface)
{
    return surface_is_launched(surface->config);
}

static bool has_certificate(const struct surface_state *surface)
{
    return surface->tls != NULL;
}

/* What a surface has, of those that have it: a number that is found, or counted by itself. */
static const struct {
    unsigned metric;
    uint64_t (*find)(const struct gate *gate, const struct surface_state *surface);
    size_t offset;                                    /* of a counter, if it is not to be found */
    bool (*has)(const struct surface_state *surface); /* NULL: all have it */
} numbers[] = {
    {CONNECTIONS, connections_now, 0, NULL},
    {SURFACE_KILLED, is_killed, 0, NULL},
    {UPSTREAM_UP, is_up, 0, NULL},
    {SERVICE_RESTARTS, restarts, 0, is_launched},
    {CERTIFICATE_EXPIRY, expiry, 0, has_certificate},
    {ADMITTED, NULL, offsetof(struct surface_state, admitted), NULL},
    {DENIED, NULL, offsetof(struct surface_state, denied), NULL},
    {REQUESTS, NULL, offsetof(struct surface_state, requests), NULL},
    {MESSAGES_FORWARDED, NULL, offsetof(struct surface_state, messages_forwarded), NULL},
    {MESSAGES_REFUSED, NULL, offsetof(struct surface_state, messages_refused), NULL},
};

/* A surface's name has no letter that would have to be escaped. */
static void print_surface(const struct surface_state *surface, char out[LABELS_SIZE])
{
    snprintf(out, LABELS_SIZE, "surface=\"%s\"", surface->config->name);
}

static void write_numbers(struct buffer *out, const struct gate *gate, size_t row)
{
    const struct metric *metric = &metrics[numbers[row].metric];
    char labels[LABELS_SIZE];

    exposition_header(out, metric);
    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];
        uint64_t value;

        if (numbers[row].has != NULL && !numbers[row].has(surface))
            continue;
        if (numbers[row].find != NULL)
            value = numbers[row].find(gate, surface);
        else
            memcpy(&value, (const char *)surface + numbers[row].offset, sizeof(value));
        print_surface(surface, labels);
        exposition_number(out, metric, labels, value);
    }
}

static void write_times(struct buffer *out, const struct gate *gate, unsigned metric)
{
    char labels[LABELS_SIZE];

    exposition_header(out, &metrics[metric]);
    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];

        print_surface(surface, labels);
        exposition_histogram(out, &metrics[metric], labels,
                             metric == ADMISSION ? &surface->admission_time
                                                 : &surface->service_time);
    }
}

static void write_quotas(struct buffer *out, const struct gate *gate, unsigned metric,
                         size_t offset)
{
    exposition_header(out, &metrics[metric]);
    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];
        uint32_t slot = surfaces_index(&gate->surfaces, surface);
        const char *counts = (const char *)quotas_counts(gate->quotas, slot) + offset;

        for (enum quota row = 0; row < QUOTA_COUNT; row++) {
            char labels[LABELS_SIZE];
            uint64_t count;

            memcpy(&count, counts + row * sizeof(count), sizeof(count));
            if (count == 0)
                continue;
            snprintf(labels, sizeof(labels), "surface=\"%s\",quota=\"%s\",per=\"%s\"",
                     surface->config->name, quota_info(row)->name,
                     quota_per_text(quota_info(row)->per));
            exposition_number(out, &metrics[metric], labels, count);
        }
    }
}

/* ---- The whole ---- */

static void write_denials(struct buffer *out, const uint64_t *by_reason)
{
    exposition_header(out, &metrics[DENIALS]);
    for (size_t i = 0; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        char labels[LABELS_SIZE];

        if (by_reason[i] == 0)
            continue;
        if (info->cause != NULL)
            snprintf(labels, sizeof(labels), "reason=\"%s\",cause=\"%s\"", info->code, info->cause);
        else
            snprintf(labels, sizeof(labels), "reason=\"%s\"", info->code);
        exposition_number(out, &metrics[DENIALS], labels, by_reason[i]);
    }
}

static void write_gate(struct buffer *out, const struct gate *gate, size_t sessions_active,
                       int64_t now)
{
    int64_t uptime = now > gate->started_at ? now - gate->started_at : 0;

    exposition_header(out, &metrics[BUILD_INFO]);
    exposition_number(out, &metrics[BUILD_INFO], "version=\"" SIDELOCK_VERSION "\"", 1);
    write_metric(out, UPTIME, (uint64_t)uptime);
    write_metric(out, READY, health_look(gate) == 0);
    write_metric(out, SESSIONS_ACTIVE, sessions_active);
    write_metric(out, WORKERS, gate->surfaces.config->workers);
    write_metric(out, WORKERS_UP, health_workers(gate));
    write_metric(out, WORKER_RESTARTS, workers_restarts(gate->workers));
    write_metric(out, OPERATORS_REFUSED, gate->operators_refused);
    write_metric(out, TELEMETRY_REFUSED, count_strays(gate));
    write_metric(out, AUDIT_LOST, audit_lost(gate->audit));
    write_metric(out, AUDIT_SUPPRESSED, gate->lines.suppressed);
    write_metric(out, AUDIT_FAILING, audit_failing(gate->audit));
    write_metric(out, LOCKDOWN, lockdown_stands(gate->surfaces.config->state_dir));
}

void metrics_write(struct buffer *out, const struct gate *gate, size_t sessions_active, int64_t now)
{
    write_gate(out, gate, sessions_active, now);
    write_loops(out, gate, PROCESS_CPU);
    write_memory(out, gate);
    write_loops(out, gate, LOOP_LAG);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        write_numbers(out, gate, i);
    write_times(out, gate, ADMISSION);
    write_times(out, gate, SERVICE);
    write_quotas(out, gate, QUOTA_REFUSED, offsetof(struct quota_counts, refused));
    write_quotas(out, gate, QUOTA_GAVE_WAY, offsetof(struct quota_counts, gave_way));
    write_denials(out, gate->denials);
}
