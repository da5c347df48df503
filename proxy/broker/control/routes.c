#include "broker/control/routes.h"

#include "broker/control/exchange.h"
#include "broker/control/json.h"
#include "broker/control/session_routes.h"
#include "broker/operations/register_state.h"
#include "broker/operations/switches.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void control_routes_problem(struct control_answer *answer, unsigned status, enum reason reason,
                            const char *detail)
{
    buffer_reset(&answer->body);
    answer->status = status;
    answer->content_type = "application/problem+json";
    buffer_append_format(&answer->body, "{\"status\":%u", status);
    if (reason != REASON_INTERNAL)
        buffer_append_format(&answer->body, ",\"reason\":\"%s\"", reason_info(reason)->code);
    buffer_append_text(&answer->body, ",\"detail\":");
    control_json_text(&answer->body, detail);
    buffer_append_text(&answer->body, "}\n");
}

struct counting {
    int64_t now;
    size_t active;
};

static void count_active(void *context, const struct session *session)
{
    struct counting *counting = context;

    if (operations_session_state(session, counting->now) == SESSION_ACTIVE)
        counting->active++;
}

static void get_status(struct exchange *exchange)
{
    struct counting counting = {.now = broker_now()};
    enum error error = store_session_each(exchange->broker->store, count_active, &counting);

    if (error != OK)
        control_exchange_fail(exchange, error);
    else
        control_json_status(control_exchange_begin(exchange, 200), exchange->broker,
                            counting.active, counting.now);
}

static void get_metrics(struct exchange *exchange)
{
    struct counting counting = {.now = broker_now()};
    enum error error = store_session_each(exchange->broker->store, count_active, &counting);

    if (error != OK) {
        control_exchange_fail(exchange, error);
        return;
    }
    control_json_metrics(control_exchange_begin(exchange, 200), exchange->broker, counting.active,
                         counting.now);
    exchange->answer->content_type = "text/plain; version=0.0.4";
}

static void get_register(struct exchange *exchange)
{
    struct register_facts facts[CONFIG_SURFACES_MAX];
    size_t count = exchange->broker->config->surface_count;
    const char *wanted = control_exchange_query(exchange, "format");
    bool markdown = wanted != NULL && strcmp(wanted, "md") == 0;
    enum error error;

    if (wanted != NULL && !markdown && strcmp(wanted, "json") != 0) {
        control_routes_problem(exchange->answer, 400, REASON_INTERNAL,
                               "the register is rendered as \"md\" or \"json\"");
        return;
    }
    error = register_state_gather(exchange->broker, facts);
    if (error != OK) {
        control_exchange_fail(exchange, error);
        return;
    }
    error = register_render(facts, count, markdown ? REGISTER_MARKDOWN : REGISTER_JSON,
                            control_exchange_begin(exchange, 200));
    if (markdown)
        exchange->answer->content_type = "text/markdown; charset=utf-8";
    for (size_t i = 0; i < count; i++)
        register_facts_clear(&facts[i]);
    if (error != OK)
        control_exchange_fail(exchange, error);
}

static void get_surfaces(struct exchange *exchange)
{
    struct broker *broker = exchange->broker;
    struct buffer *out = control_exchange_begin(exchange, 200);

    buffer_append_text(out, "{\"surfaces\":[");
    for (size_t i = 0; i < broker->config->surface_count; i++) {
        if (i > 0)
            buffer_append_text(out, ",");
        control_json_surface(out, broker, &broker->surfaces[i]);
    }
    buffer_append_text(out, "]}\n");
}

static void set_killed(struct exchange *exchange, bool killed)
{
    enum error error = operations_set_killed(&exchange->operation, exchange->name, killed);

    if (error != OK) {
        control_exchange_fail(exchange, error);
        return;
    }
    control_json_surface(control_exchange_begin(exchange, 200), exchange->broker,
                         broker_surface(exchange->broker, exchange->name));
    buffer_append_text(&exchange->answer->body, "\n");
}

static void kill_surface(struct exchange *exchange)
{
    set_killed(exchange, true);
}

static void arm_surface(struct exchange *exchange)
{
    set_killed(exchange, false);
}

static void list_record(void *context, const struct store_params *params)
{
    struct listing *listing = context;

    if (listing->count++ > 0)
        buffer_append_text(listing->out, ",");
    control_json_params(listing->out, params);
}

static void get_params(struct exchange *exchange)
{
    struct listing listing = {.out = control_exchange_begin(exchange, 200)};
    enum error error;

    buffer_append_text(listing.out, "{\"params\":[");
    error = store_params_each(exchange->broker->store, list_record, &listing);
    buffer_append_text(listing.out, "]}\n");
    if (error != OK)
        control_exchange_fail(exchange, error);
}

static void put_record(struct exchange *exchange)
{
    struct store_params stored;
    enum error error = operations_put_params(&exchange->operation, exchange->name,
                                             control_exchange_query(exchange, "surface"),
                                             exchange->request->body, &stored);

    if (error != OK) {
        control_exchange_fail(exchange, error);
        return;
    }
    control_json_params(control_exchange_begin(exchange, 200), &stored);
    buffer_append_text(&exchange->answer->body, "\n");
}

static void get_record(struct exchange *exchange)
{
    const char *revealing = control_exchange_query(exchange, "reveal");
    bool reveal = revealing != NULL && strcmp(revealing, "1") == 0;
    struct store_params stored;
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = operations_get_params(&exchange->operation, exchange->name, reveal, &stored, &json);
    if (error == OK) {
        struct span text = {json.data, json.length};

        error = control_json_record(control_exchange_begin(exchange, 200), &stored, text, reveal);
        buffer_append_text(&exchange->answer->body, "\n");
    }
    buffer_wipe(&json);
    if (error != OK)
        control_exchange_fail(exchange, error);
}

static void delete_record(struct exchange *exchange)
{
    enum error error = operations_remove_params(&exchange->operation, exchange->name);

    if (error != OK)
        control_exchange_fail(exchange, error);
    else
        control_exchange_no_content(exchange);
}

static void post_reload(struct exchange *exchange)
{
    enum error error = operations_reload(&exchange->operation);

    if (error != OK)
        control_exchange_fail(exchange, error);
    else
        control_json_certificates(control_exchange_begin(exchange, 200), exchange->broker);
}

/* In a pattern, {} stands for one segment; `query` names the parameters it takes. */
static const struct route_entry {
    const char *method, *pattern;
    void (*answer)(struct exchange *exchange);
    const char *query; /* the one parameter that is understood, or NULL */
} routes[] = {
    {"GET", "/v1/status", get_status, NULL},
    {"GET", "/v1/metrics", get_metrics, NULL},
    {"GET", "/v1/register", get_register, "format"},
    {"GET", "/v1/surfaces", get_surfaces, NULL},
    {"POST", "/v1/surfaces/{}/kill", kill_surface, NULL},
    {"POST", "/v1/surfaces/{}/arm", arm_surface, NULL},
    {"POST", "/v1/reload", post_reload, NULL},
    {"GET", "/v1/params", get_params, NULL},
    {"GET", "/v1/params/{}", get_record, "reveal"},
    {"PUT", "/v1/params/{}", put_record, "surface"},
    {"DELETE", "/v1/params/{}", delete_record, NULL},
    {"GET", "/v1/sessions", control_sessions_list, NULL},
    {"POST", "/v1/sessions", control_sessions_create, NULL},
    {"DELETE", "/v1/sessions", control_sessions_revoke_all, "surface"},
    {"GET", "/v1/sessions/{}", control_sessions_show, NULL},
    {"DELETE", "/v1/sessions/{}", control_sessions_revoke, NULL},
    {"POST", "/v1/sessions/{}/ticket", control_sessions_ticket, NULL},
    {"POST", "/v1/sessions/{}/login", control_sessions_login, "host"},
    {"POST", "/v1/sessions/{}/renew", control_sessions_renew, NULL},
};

bool control_routes_takes_body(const char *method)
{
    return strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0;
}

/* Whether a path has a pattern's form; `name` receives what {} stands for. */
static bool matches(const char *pattern, const char *path, char name[CONTROL_PATH_BYTES_MAX])
{
    const char *hole = strstr(pattern, "{}");
    size_t before = hole != NULL ? (size_t)(hole - pattern) : 0;
    size_t length;

    if (hole == NULL)
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    length = strcspn(path + before, "/");
    if (length == 0 || strcmp(path + before + length, hole + 2) != 0)
        return false;
    memcpy(name, path + before, length);
    name[length] = '\0';
    return true;
}

/* A parameter that would be ignored could be a misspelt restriction: refused. */
static bool query_known(const struct route_entry *route, const struct control_request *request)
{
    if (request->query_count == 0)
        return true;
    return request->query_count == 1 && route->query != NULL &&
           strcmp(request->query[0].name, route->query) == 0;
}

void control_routes_answer(struct broker *broker, const struct control_request *request,
                           struct control_answer *answer)
{
    struct exchange exchange = {.broker = broker, .request = request, .answer = answer};
    bool path_known = false;

    operation_init(&exchange.operation, broker, request->uid);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!matches(routes[i].pattern, request->path, exchange.name))
            continue;
        path_known = true;
        if (strcmp(routes[i].method, request->method) != 0)
            continue;
        if (!query_known(&routes[i], request)) {
            control_routes_problem(answer, 400, REASON_INTERNAL,
                                   "the query names a parameter that this path does not take");
            return;
        }
        routes[i].answer(&exchange);
        if (buffer_failed(&answer->body))
            control_routes_problem(answer, 500, REASON_INTERNAL,
                                   "the answer is too large; revoke or remove what is not needed");
        return;
    }
    control_routes_problem(answer, path_known ? 405 : 404, REASON_INTERNAL,
                           path_known ? "this path does not take that method"
                                      : "there is no such path in the control API");
}
