#include "broker/control/json.h"

#include "system/tls_files.h"

#include "broker/control/input.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void control_json_time(int64_t seconds, char out[CONTROL_TIME_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm utc;

    if (gmtime_r(&when, &utc) == NULL || strftime(out, CONTROL_TIME_SIZE, "%FT%TZ", &utc) == 0)
        out[0] = '\0';
}

void control_json_text(struct buffer *out, const char *text)
{
    buffer_append_json_string(out, text, strlen(text));
}

/* The helpers below append one member; `name` brings its own comma. */

static void member_text(struct buffer *out, const char *name, const char *text)
{
    buffer_append_format(out, "%s:", name);
    if (text == NULL || text[0] == '\0')
        buffer_append_text(out, "null");
    else
        control_json_text(out, text);
}

static void member_time(struct buffer *out, const char *name, int64_t seconds)
{
    char text[CONTROL_TIME_SIZE];

    if (seconds == 0)
        text[0] = '\0';
    else
        control_json_time(seconds, text);
    member_text(out, name, text);
}

static void member_list(struct buffer *out, const char *name, const struct text_list *list,
                        bool set)
{
    buffer_append_format(out, "%s:", name);
    if (!set) {
        buffer_append_text(out, "null");
        return;
    }
    buffer_append_text(out, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        control_json_text(out, list->items[i]);
    }
    buffer_append_text(out, "]");
}

static void params_members(struct buffer *out, const struct store_params *params)
{
    member_text(out, "\"name\"", params->name);
    member_text(out, ",\"surface\"", params->surface);
    member_text(out, ",\"digest\"", params->digest);
    member_time(out, ",\"created_at\"", params->created_at);
    member_time(out, ",\"updated_at\"", params->updated_at);
}

void control_json_params(struct buffer *out, const struct store_params *params)
{
    buffer_append_text(out, "{");
    params_members(out, params);
    buffer_append_text(out, "}");
}

enum error control_json_record(struct buffer *out, const struct store_params *params,
                               struct span json, bool reveal)
{
    enum error error;

    buffer_append_text(out, "{");
    params_members(out, params);
    buffer_append_format(out, ",\"revealed\":%s,\"record\":", reveal ? "true" : "false");
    error = control_input_mask(out, json, reveal);
    buffer_append_text(out, "}");
    return error;
}

static const char *state_text(enum session_state state)
{
    switch (state) {
    case SESSION_ACTIVE:
        return "active";
    case SESSION_REVOKED:
        return "revoked";
    case SESSION_EXPIRED:
        return "expired";
    case SESSION_USED:
        return "used";
    }
    return "unknown";
}

void control_json_session(struct buffer *out, const struct broker *broker,
                          const struct session *session, int64_t now)
{
    bool has_digest = strcmp(session->params_digest, "-") != 0;

    member_text(out, "{\"id\"", session->id);
    member_text(out, ",\"surface\"", session->surface);
    member_text(out, ",\"params\"", session->params_name);
    member_text(out, ",\"digest\"", has_digest ? session->params_digest : NULL);
    buffer_append_format(out, ",\"created_by\":%" PRIu32, session->created_by);
    member_time(out, ",\"created_at\"", session->created_at);
    member_time(out, ",\"expires_at\"", session->expires_at);
    member_time(out, ",\"revoked_at\"", session->revoked_at);
    member_time(out, ",\"used_at\"", session->used_at);
    buffer_append_format(out, ",\"once\":%s", session->once ? "true" : "false");
    member_list(out, ",\"verbs\"", &session->verbs, session->verbs_set);
    member_list(out, ",\"targets\"", &session->targets, session->targets_set);
    buffer_append_text(out, session->callers_set ? ",\"callers\":[" : ",\"callers\":null");
    for (size_t i = 0; session->callers_set && i < session->caller_count; i++)
        buffer_append_format(out, "%s%" PRIu32, i > 0 ? "," : "", session->callers[i]);
    if (session->callers_set)
        buffer_append_text(out, "]");
    buffer_append_format(out, ",\"live_connections\":%zu",
                         connections_count(broker->connections, NULL, session->id));
    member_text(out, ",\"state\"", state_text(operations_session_state(session, now)));
    buffer_append_text(out, "}");
}

void control_json_created(struct buffer *out, const struct session *session, const char *token)
{
    bool has_digest = strcmp(session->params_digest, "-") != 0;

    member_text(out, "{\"id\"", session->id);
    member_text(out, ",\"token\"", token);
    member_text(out, ",\"surface\"", session->surface);
    member_time(out, ",\"expires_at\"", session->expires_at);
    member_text(out, ",\"digest\"", has_digest ? session->params_digest : NULL);
    buffer_append_text(out, "}");
}

/* What a client needs to know to pick one. */
static void append_routes(struct buffer *out, const struct surface *surface)
{
    static const char *const kinds[] = {
        [ROUTE_WEBSOCKET] = "websocket", [ROUTE_HTTP] = "http", [ROUTE_MCP_HTTP] = "mcp-http"};
    const char *separator = "{";

    buffer_append_text(out, ",\"routes\":[");
    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];

        if (route->kind == ROUTE_CLOSED)
            continue;
        buffer_append_text(out, separator);
        separator = ",{";
        member_text(out, "\"path\"", route->path);
        member_text(out, ",\"kind\"", kinds[route->kind]);
        member_list(out, ",\"subprotocols\"", &route->subprotocols, true);
        buffer_append_text(out, "}");
    }
    buffer_append_text(out, "]");
}

void control_json_surface(struct buffer *out, const struct broker *broker,
                          const struct broker_surface *surface)
{
    const struct surface *config = surface->config;

    member_text(out, "{\"name\"", config->name);
    member_text(out, ",\"dialect\"", dialect_name(config->dialect));
    member_text(out, ",\"mode\"", config->mode == MODE_OBSERVE ? "observe" : "enforce");
    buffer_append_format(out, ",\"killed\":%s,\"listen\":[", surface->killed ? "true" : "false");
    for (size_t i = 0; i < surface->listener_count; i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        control_json_text(out, surface->listeners[i].address);
    }
    buffer_append_format(out, "],\"tls\":%s,\"max_message_bytes\":%" PRIu32,
                         config->tls != NULL ? "true" : "false", config->limits.max_message_bytes);
    member_text(out, ",\"certificate_sha256\"",
                surface->tls != NULL ? surface->tls->facts.sha256 : NULL);
    member_list(out, ",\"hosts\"", &config->hosts, true);
    append_routes(out, config);
    member_text(out, ",\"upstream\"", config->upstream_socket);
    buffer_append_format(out,
                         ",\"connections\":%zu,\"admitted\":%" PRIu64 ",\"denied\":%" PRIu64
                         ",\"messages_forwarded\":%" PRIu64 ",\"messages_refused\":%" PRIu64 "}",
                         connections_count(broker->connections, surface, NULL), surface->admitted,
                         surface->denied, surface->messages_forwarded, surface->messages_refused);
}

void control_json_status(struct buffer *out, const struct broker *broker, size_t sessions_active,
                         int64_t now)
{
    buffer_append_format(out, "{\"version\":\"%s\",\"pid\":%ld,\"uptime_s\":%" PRId64,
                         SIDELOCK_VERSION, (long)getpid(), now - broker->started_at);
    buffer_append_text(out, ",\"surfaces\":[");
    for (size_t i = 0; i < broker->config->surface_count; i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        control_json_surface(out, broker, &broker->surfaces[i]);
    }
    buffer_append_format(out,
                         "],\"sessions\":{\"active\":%zu},\"workers\":{\"configured\":%" PRIu32
                         ",\"restarts\":%" PRIu64 "}}\n",
                         sessions_active, broker->config->workers, broker->worker_restarts);
}

/* One metric with a value for each surface. */
struct surface_metric {
    const char *name, *type, *help;
    uint64_t (*value)(const struct broker *broker, const struct broker_surface *surface);
};

static uint64_t value_connections(const struct broker *broker, const struct broker_surface *surface)
{
    return connections_count(broker->connections, surface, NULL);
}

static uint64_t value_admitted(const struct broker *broker, const struct broker_surface *surface)
{
    (void)broker;
    return surface->admitted;
}

static uint64_t value_denied(const struct broker *broker, const struct broker_surface *surface)
{
    (void)broker;
    return surface->denied;
}

static uint64_t value_forwarded(const struct broker *broker, const struct broker_surface *surface)
{
    (void)broker;
    return surface->messages_forwarded;
}

static uint64_t value_refused(const struct broker *broker, const struct broker_surface *surface)
{
    (void)broker;
    return surface->messages_refused;
}

static uint64_t value_killed(const struct broker *broker, const struct broker_surface *surface)
{
    (void)broker;
    return surface->killed;
}

static const struct surface_metric surface_metrics[] = {
    {"sidelock_connections", "gauge", "Live connections", value_connections},
    {"sidelock_surface_killed", "gauge", "1 while the kill switch is on", value_killed},
    {"sidelock_admitted_total", "counter", "Requests admitted", value_admitted},
    {"sidelock_denied_total", "counter", "Requests denied", value_denied},
    {"sidelock_messages_forwarded_total", "counter", "Messages forwarded", value_forwarded},
    {"sidelock_messages_refused_total", "counter",
     "Messages refused, or in observe mode recorded as such", value_refused},
};

static void metric_header(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metric(struct buffer *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    metric_header(out, name, type, help);
    buffer_append_format(out, "%s %" PRIu64 "\n", name, value);
}

void control_json_certificates(struct buffer *out, const struct broker *broker)
{
    size_t count = 0;

    buffer_append_text(out, "{\"certificates\":[");
    for (size_t i = 0; i < broker->config->surface_count; i++) {
        const struct broker_surface *surface = &broker->surfaces[i];
        char end[CONTROL_TIME_SIZE];

        if (surface->tls == NULL)
            continue;
        control_json_time(surface->tls->facts.not_after, end);
        member_text(out, count++ > 0 ? ",{\"surface\"" : "{\"surface\"", surface->config->name);
        member_text(out, ",\"sha256\"", surface->tls->facts.sha256);
        member_text(out, ",\"not_after\"", end);
        buffer_append_text(out, "}");
    }
    buffer_append_text(out, "]}\n");
}

void control_json_metrics(struct buffer *out, const struct broker *broker, size_t sessions_active,
                          int64_t now)
{
    metric_header(out, "sidelock_build_info", "gauge", "Version");
    buffer_append_format(out, "sidelock_build_info{version=\"%s\"} 1\n", SIDELOCK_VERSION);
    metric(out, "sidelock_uptime_seconds", "gauge", "Seconds since start",
           (uint64_t)(now > broker->started_at ? now - broker->started_at : 0));
    metric(out, "sidelock_sessions_active", "gauge", "Sessions that are good now", sessions_active);
    metric(out, "sidelock_worker_restarts_total", "counter", "Workers that had to be replaced",
           broker->worker_restarts);
    for (size_t i = 0; i < sizeof(surface_metrics) / sizeof(surface_metrics[0]); i++) {
        const struct surface_metric *row = &surface_metrics[i];

        metric_header(out, row->name, row->type, row->help);
        for (size_t j = 0; j < broker->config->surface_count; j++)
            buffer_append_format(out, "%s{surface=\"%s\"} %" PRIu64 "\n", row->name,
                                 broker->surfaces[j].config->name,
                                 row->value(broker, &broker->surfaces[j]));
    }
    metric_header(out, "sidelock_denials_total", "counter", "Denials by reason");
    for (size_t i = 0; i < REASON_COUNT; i++) {
        if (broker->denied_by_reason[i] > 0)
            buffer_append_format(out, "sidelock_denials_total{reason=\"%s\"} %" PRIu64 "\n",
                                 reason_info((enum reason)i)->code, broker->denied_by_reason[i]);
    }
}
