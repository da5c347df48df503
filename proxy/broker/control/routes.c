#include "broker/control/routes.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/control/session_routes.h"
#include "broker/core/clock.h"
#include "broker/operations/records.h"
#include "broker/operations/register.h"
#include "broker/operations/register_state.h"
#include "broker/operations/sessions.h"
#include "broker/operations/switches.h"

#include <jansson.h>
#include <string.h>

static enum error get_status(struct exchange *exchange)
{
    int64_t now = clock_now();
    size_t active;
    enum error error = sessions_count(exchange->gate, now, &active);

    if (error != OK)
        return error;
    return control_exchange_answer(exchange, 200, control_json_status(exchange->gate, active, now));
}

/* Begins an answer that is not JSON. */
static struct buffer *begin_text(struct exchange *exchange, const char *content_type)
{
    buffer_reset(&exchange->answer->body);
    exchange->answer->status = 200;
    exchange->answer->content_type = content_type;
    return &exchange->answer->body;
}

static enum error get_metrics(struct exchange *exchange)
{
    int64_t now = clock_now();
    size_t active;
    enum error error = sessions_count(exchange->gate, now, &active);

    if (error == OK)
        control_json_metrics(begin_text(exchange, "text/plain; version=0.0.4"), exchange->gate,
                             active, now);
    return error;
}

static enum error get_register(struct exchange *exchange)
{
    struct register_facts facts[CONFIG_SURFACES_MAX];
    size_t count = exchange->gate->surfaces.config->surface_count;
    const char *wanted = control_exchange_query(exchange, "format");
    bool markdown = wanted != NULL && strcmp(wanted, "md") == 0;
    enum error error;

    if (wanted != NULL && !markdown && strcmp(wanted, "json") != 0)
        return operation_fail(&exchange->operation, ERROR_SYNTAX,
                              "the register is rendered as \"md\" or \"json\"");
    error = register_state_gather(exchange->gate, facts);
    if (error != OK)
        return error;
    error = register_render(
        facts, count, markdown ? REGISTER_MARKDOWN : REGISTER_JSON,
        begin_text(exchange, markdown ? "text/markdown; charset=utf-8" : "application/json"));
    for (size_t i = 0; i < count; i++)
        register_facts_clear(&facts[i]);
    return error;
}

static enum error get_surfaces(struct exchange *exchange)
{
    return control_exchange_answer(
        exchange, 200, json_pack("{s:o}", "surfaces", control_json_surfaces(exchange->gate)));
}

static enum error set_killed(struct exchange *exchange, bool killed)
{
    enum error error = switches_set_killed(&exchange->operation, exchange->name, killed);

    if (error != OK)
        return error;
    return control_exchange_answer(
        exchange, 200,
        control_json_surface(exchange->gate,
                             surfaces_find(&exchange->gate->surfaces, exchange->name)));
}

static enum error kill_surface(struct exchange *exchange)
{
    return set_killed(exchange, true);
}

static enum error arm_surface(struct exchange *exchange)
{
    return set_killed(exchange, false);
}

static void list_record(void *array, const struct store_params *params)
{
    json_array_append_new(array, control_json_params(params));
}

static enum error get_params(struct exchange *exchange)
{
    json_t *array = json_array();
    enum error error = store_params_each(exchange->gate->store, list_record, array);

    if (error == OK)
        return control_exchange_answer(exchange, 200, json_pack("{s:o}", "params", array));
    json_decref(array);
    return error;
}

static enum error put_record(struct exchange *exchange)
{
    struct store_params stored;
    enum error error =
        records_put(&exchange->operation, exchange->name,
                    control_exchange_query(exchange, "surface"), exchange->request->body, &stored);

    return error == OK ? control_exchange_answer(exchange, 200, control_json_params(&stored))
                       : error;
}

/*
 * The record itself is the last member: as it was put if it is revealed, byte
 * for byte, so it is no document that could be written anew.
 */
static enum error answer_record(struct exchange *exchange, const struct store_params *stored,
                                struct span text, bool reveal)
{
    struct buffer *out = begin_text(exchange, "application/json");
    enum error error = control_exchange_append(out, control_json_params(stored));

    if (error != OK || buffer_failed(out))
        return error;
    out->length--; /* the brace at its end */
    buffer_append_format(out, ",\"revealed\":%s,\"record\":", reveal ? "true" : "false");
    error = control_input_mask(out, text, reveal);
    buffer_append_text(out, "}\n");
    return error;
}

static enum error get_record(struct exchange *exchange)
{
    const char *revealing = control_exchange_query(exchange, "reveal");
    bool reveal = revealing != NULL && strcmp(revealing, "1") == 0;
    struct store_params stored;
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = records_get(&exchange->operation, exchange->name, reveal, &stored, &json);
    if (error == OK)
        error = answer_record(exchange, &stored, (struct span){json.data, json.length}, reveal);
    buffer_wipe(&json);
    return error;
}

static enum error delete_record(struct exchange *exchange)
{
    enum error error = records_remove(&exchange->operation, exchange->name);

    return error == OK ? control_exchange_no_content(exchange) : error;
}

static enum error post_reload(struct exchange *exchange)
{
    enum error error = switches_reload(&exchange->operation);

    if (error != OK)
        return error;
    return control_exchange_answer(exchange, 200, control_json_certificates(exchange->gate));
}

/* In a pattern, {} stands for one segment; `query` names the parameters it takes. */
static const struct route_entry {
    const char *method, *pattern;
    enum error (*answer)(struct exchange *exchange);
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
    {"GET", "/v1/sessions", session_routes_list, NULL},
    {"POST", "/v1/sessions", session_routes_create, NULL},
    {"DELETE", "/v1/sessions", session_routes_revoke_all, "surface"},
    {"GET", "/v1/sessions/{}", session_routes_show, NULL},
    {"DELETE", "/v1/sessions/{}", session_routes_revoke, NULL},
    {"POST", "/v1/sessions/{}/ticket", session_routes_ticket, NULL},
    {"POST", "/v1/sessions/{}/login", session_routes_login, "host"},
    {"POST", "/v1/sessions/{}/renew", session_routes_renew, NULL},
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

static void answer(const struct route_entry *route, struct exchange *exchange)
{
    enum error error;

    if (!query_known(route, exchange->request)) {
        control_exchange_problem(exchange->answer, 400, REASON_INTERNAL,
                                 "the query names a parameter that this path does not take");
        return;
    }
    error = route->answer(exchange);
    if (error != OK)
        control_exchange_fail(exchange, error);
    else if (buffer_failed(&exchange->answer->body))
        control_exchange_problem(exchange->answer, 500, REASON_INTERNAL,
                                 "the answer is too large; revoke or remove what is not needed");
}

void control_routes_answer(struct gate *gate, const struct control_request *request,
                           struct control_answer *out)
{
    struct exchange exchange = {.gate = gate, .request = request, .answer = out};
    bool path_known = false;

    operation_init(&exchange.operation, gate, request->uid);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!matches(routes[i].pattern, request->path, exchange.name))
            continue;
        path_known = true;
        if (strcmp(routes[i].method, request->method) == 0) {
            answer(&routes[i], &exchange);
            return;
        }
    }
    control_exchange_problem(out, path_known ? 405 : 404, REASON_INTERNAL,
                             path_known ? "this path does not take that method"
                                        : "there is no such path in the control API");
}
