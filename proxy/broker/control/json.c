#include "broker/control/json.h"

#include "broker/core/journal.h"
#include "broker/core/proofs.h"
#include "broker/telemetry/health.h"
#include "system/lockdown.h"

#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* What is not there is an empty text, and null to those who read. */
static const char *some(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static json_int_t number(uint64_t value)
{
    return (json_int_t)value;
}

json_t *control_json_time(int64_t seconds)
{
    char text[JOURNAL_TIME_SIZE];

    if (seconds == 0)
        return json_null();
    journal_time(seconds, text);
    return json_pack("s?", some(text));
}

static json_t *list_of(const struct text_list *list, bool set)
{
    json_t *array;

    if (!set)
        return json_null();
    array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_string(list->items[i]));
    return array;
}

json_t *control_json_params(const struct store_params *params)
{
    return json_pack("{s:s, s:s?, s:s?, s:o, s:o}", "name", params->name, "surface",
                     some(params->surface), "digest", some(params->digest), "created_at",
                     control_json_time(params->created_at), "updated_at",
                     control_json_time(params->updated_at));
}

static const char *digest_of(const struct session *session)
{
    return strcmp(session->params_digest, "-") != 0 ? some(session->params_digest) : NULL;
}

static json_t *callers_of(const struct session *session)
{
    json_t *array;

    if (!session->callers_set)
        return json_null();
    array = json_array();
    for (size_t i = 0; i < session->caller_count; i++)
        json_array_append_new(array, json_integer(session->callers[i]));
    return array;
}

json_t *control_json_session(const struct gate *gate, const struct session *session, int64_t now)
{
    size_t live = connections_of_session(&gate->connections, session->id);

    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:I, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:I, s:s}", "id",
        session->id, "surface", session->surface, "params", some(session->params_name), "digest",
        digest_of(session), "created_by", number(session->created_by), "created_at",
        control_json_time(session->created_at), "expires_at",
        control_json_time(session->expires_at), "revoked_at",
        control_json_time(session->revoked_at), "used_at", control_json_time(session->used_at),
        "once", session->once, "verbs", list_of(&session->verbs, session->verbs_set), "targets",
        list_of(&session->targets, session->targets_set), "callers", callers_of(session),
        "live_connections", number(live), "state", session_state(session_ended(session, now)));
}

json_t *control_json_created(const struct session *session, const char *token)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:s?}", "id", session->id, "token", token, "surface",
                     session->surface, "expires_at", control_json_time(session->expires_at),
                     "digest", digest_of(session));
}

/* What a client needs to know to pick one. */
static json_t *routes_of(const struct surface *surface)
{
    static const char *const kinds[] = {
        [ROUTE_WEBSOCKET] = "websocket", [ROUTE_HTTP] = "http", [ROUTE_MCP_HTTP] = "mcp-http"};
    json_t *array = json_array();

    for (size_t i = 0; i < surface->route_count; i++) {
        const struct route *route = &surface->routes[i];

        if (route->kind != ROUTE_CLOSED)
            json_array_append_new(array, json_pack("{s:s, s:s, s:o}", "path", route->path, "kind",
                                                   kinds[route->kind], "subprotocols",
                                                   list_of(&route->subprotocols, true)));
    }
    return array;
}

static json_t *listen_of(const struct surface_state *surface)
{
    json_t *array = json_array();

    for (size_t i = 0; i < surface->listener_count; i++)
        json_array_append_new(array, json_string(surface->listeners[i].address));
    return array;
}

/* Whose limits were felt: {"tickets":{"refused":0,"gave_way":3}} */
static json_t *quotas_of(const struct gate *gate, const struct surface_state *surface)
{
    const struct quota_counts *counts =
        quotas_counts(gate->quotas, surfaces_index(&gate->surfaces, surface));
    json_t *object = json_object();

    for (enum quota row = 0; row < QUOTA_COUNT; row++) {
        if (counts->refused[row] + counts->gave_way[row] > 0)
            json_object_set_new(object, quota_info(row)->name,
                                json_pack("{s:I, s:I}", "refused", number(counts->refused[row]),
                                          "gave_way", number(counts->gave_way[row])));
    }
    return object;
}

/* The last time the kill switch was: {"at", "connections", "ms"}; null: never since start. */
static json_t *rehearsal_of(const struct surface_state *surface)
{
    if (surface->rehearsal.at == 0)
        return json_null();
    return json_pack("{s:o, s:I, s:I}", "at", control_json_time(surface->rehearsal.at),
                     "connections", number(surface->rehearsal.connections), "ms",
                     (json_int_t)surface->rehearsal.took_ms);
}

/* Its socket or address; of one that is launched, the program. */
static json_t *upstream_of(const struct surface *surface)
{
    if (surface_runs_records(surface))
        return json_string("stdio");
    if (surface->upstream_tcp.host != NULL)
        return json_string(surface->upstream_tcp.text);
    return json_string(surface_is_launched(surface) ? surface->command.arguments[0]
                                                    : surface->upstream_socket);
}

/* Where it listens, inside: "8081/tcp 9229/tcp". */
static json_t *ports_of(const struct surface_state *surface)
{
    struct span rest = span_of(surface->service.ports);
    json_t *array = json_array();

    while (rest.length > 0) {
        struct span port = span_split(&rest, ' ');

        json_array_append_new(array, json_stringn(port.data, port.length));
    }
    return array;
}

/* What has become of a service that the launcher connects to; null of any other. */
static json_t *service_of(const struct surface_state *surface)
{
    static const char *const states[SERVICE_STATE_COUNT] = {
        [SERVICE_GONE] = "gone",       [SERVICE_STARTING] = "starting",
        [SERVICE_READY] = "ready",     [SERVICE_WAITING] = "waiting",
        [SERVICE_EXPOSED] = "exposed", [SERVICE_STOPPED] = "stopped",
        [SERVICE_IDLE] = "idle"};
    static const char *const sights[SIGHT_COUNT] = {
        [SIGHT_NONE] = "none", [SIGHT_PART] = "part", [SIGHT_TREE] = "tree", [SIGHT_HOST] = "host"};
    const struct surface_service *service = &surface->service;
    const bool ends =
        service->ending && (service->state == SERVICE_READY || service->state == SERVICE_STARTING);

    if (!surface_needs_launcher(surface->config))
        return json_null();
    return json_pack(
        "{s:s, s:s?, s:o, s:o, s:I, s:o, s:o, s:s?}", "state",
        ends ? "ending" : states[service->state], "why",
        service->why[0] != '\0' ? service->why : NULL, "pid",
        service->pid > 0 ? json_integer(service->pid) : json_null(), "processes",
        surface->config->upstream_stdio ? json_integer(service->processes) : json_null(),
        "restarts", number(service->restarts), "ports", ports_of(surface), "proven",
        service->proven_at != 0 ? control_json_time(service->proven_at) : json_null(), "sight",
        service->proven_at != 0 && surface_is_launched(surface->config) ? sights[service->sight]
                                                                        : NULL);
}

json_t *control_json_surface(const struct gate *gate, const struct surface_state *surface)
{
    const struct surface *config = surface->config;
    size_t live = connections_of_surface(&gate->connections, surface);

    return json_pack(
        "{s:s, s:s, s:s, s:b, s:o, s:o, s:b, s:I, s:I, s:s?, s:o, s:o, s:o, s:s?, s:o, s:I, s:I, "
        "s:I, s:I, s:I, s:o}",
        "name", config->name, "dialect", config->dialect->name, "mode",
        config->mode == MODE_OBSERVE ? "observe" : "enforce", "killed", surface->killed,
        "rehearsed", rehearsal_of(surface), "listen", listen_of(surface), "tls",
        config->tls != NULL, "max_message_bytes", number(config->limits.max_message_bytes),
        "max_answer_bytes", number(config->limits.max_answer_bytes), "certificate_sha256",
        surface->tls != NULL ? some(surface->tls->facts.sha256) : NULL, "hosts",
        list_of(&config->hosts, true), "routes", routes_of(config), "upstream", upstream_of(config),
        "upstream_error", surface->upstream_down ? strerrorname_np(surface->upstream_fault) : NULL,
        "service", service_of(surface), "connections", number(live), "admitted",
        number(surface->admitted), "denied", number(surface->denied), "messages_forwarded",
        number(surface->messages_forwarded), "messages_refused", number(surface->messages_refused),
        "quotas", quotas_of(gate, surface));
}

json_t *control_json_surfaces(const struct gate *gate)
{
    json_t *array = json_array();

    for (size_t i = 0; i < gate->surfaces.count; i++)
        json_array_append_new(array, control_json_surface(gate, gate->surfaces.live[i]));
    return array;
}

json_t *control_json_killed(const struct operation *operation, bool rehearsed)
{
    const struct gate *gate = operation->gate;
    const struct surface_state *surface = surfaces_find(&gate->surfaces, operation->way.kill.name);
    json_t *object = surface != NULL ? control_json_surface(gate, surface)
                                     : json_pack("{s:o}", "surfaces", control_json_surfaces(gate));

    json_object_set_new(object, rehearsed ? "rehearsal" : "kill",
                        json_pack("{s:I, s:I, s:I}", "connections",
                                  number(operation->way.kill.cut.connections), "ms",
                                  (json_int_t)switches_took_ms(operation), "sessions",
                                  number(operation->way.kill.sessions)));
    return object;
}

static json_t *names_of(uint32_t fences)
{
    json_t *array = json_array();

    for (unsigned kind = 0; kind < FENCE_COUNT; kind++) {
        if ((fences & UINT32_C(1) << kind) != 0)
            json_array_append_new(array, json_string(fence_kind_name((enum fence_kind)kind)));
    }
    return array;
}

/* What is promised is in one of the three lists. */
static json_t *processes_of(const struct gate *gate)
{
    json_t *array = json_array();

    for (size_t i = 0; i < proofs_count(gate); i++) {
        struct proofs_process process;

        if (proofs_at(gate, i, &process))
            json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "process",
                                                   process.name, "pid", number((size_t)process.pid),
                                                   "landlock", number(process.landlock),
                                                   "seccomp_filters", number(process.found.filters),
                                                   "held", names_of(process.found.held), "missing",
                                                   names_of(process.found.missing), "unknown",
                                                   names_of(process.found.unknown)));
    }
    return array;
}

json_t *control_json_health(const struct gate *gate)
{
    uint32_t unready = health_look(gate);
    json_t *why = json_array();

    for (unsigned i = 0; i < UNREADY_COUNT; i++) {
        if ((unready & UINT32_C(1) << i) != 0)
            json_array_append_new(why, json_string(unready_text((enum unready)i)));
    }
    return json_pack("{s:b, s:o}", "ready", unready == 0, "why", why);
}

static json_t *telemetry_of(const struct gate *gate)
{
    json_t *array = json_array();

    for (size_t i = 0; i < gate->vitals.listener_count; i++)
        json_array_append_new(array, json_string(gate->vitals.addresses[i]));
    return array;
}

json_t *control_json_status(const struct gate *gate, size_t sessions_active, int64_t now)
{
    const char *state_dir = gate->surfaces.config->state_dir;
    char lockdown[LOCKDOWN_PATH_SIZE];
    bool at_start;

    lockdown_path(state_dir, lockdown);
    return json_pack("{s:s, s:s?, s:I, s:I, s:o, s:{s:I}, s:{s:I, s:I}, s:{s:s, s:o}, s:o, s:o}",
                     "version", SIDELOCK_VERSION, "lockdown",
                     lockdown_stands(state_dir) ? lockdown : NULL, "pid", (json_int_t)gate->pid,
                     "uptime_s", (json_int_t)(now - gate->started_at), "surfaces",
                     control_json_surfaces(gate), "sessions", "active", number(sessions_active),
                     "workers", "configured", number(gate->surfaces.config->workers), "restarts",
                     number(workers_restarts(gate->workers)), "store", "generation",
                     store_generation(gate->store), "restored_at",
                     control_json_time(store_restored_at(gate->store, &at_start)), "telemetry",
                     telemetry_of(gate), "fences", processes_of(gate));
}

json_t *control_json_reload(const struct gate *gate, const struct difference *difference)
{
    json_t *array = json_array();

    for (size_t i = 0; i < gate->surfaces.count; i++) {
        const struct surface_state *surface = gate->surfaces.live[i];

        if (surface->tls != NULL)
            json_array_append_new(array,
                                  json_pack("{s:s, s:s, s:o}", "surface", surface->config->name,
                                            "sha256", surface->tls->facts.sha256, "not_after",
                                            control_json_time(surface->tls->facts.not_after)));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "certificates", array, "added",
                     list_of(&difference->added, true), "changed",
                     list_of(&difference->changed, true), "removed",
                     list_of(&difference->removed, true));
}
