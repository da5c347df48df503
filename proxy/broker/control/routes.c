/* What each path of the control API does, and who finds it. */
#include "broker/control/routes.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/core/journal.h"
#include "broker/core/proofs.h"
#include "broker/operations/operation.h"
#include "broker/operations/register.h"
#include "json/parse.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What can be asked, a row a method and path. */
struct control_handler {
    const char *method, *pattern; /* in which {} stands for one segment */
    /* What must end before it is answered; NULL: nothing. Calls operation_end(), now or later. */
    exchange_begin *begin;
    exchange_answer *answer;
    const char *query[2]; /* the parameters that are understood */
    unsigned status;      /* when it succeeds */
};

static void on_counted(void *context, enum error error)
{
    struct exchange *exchange = context;

    if (error != OK)
        operation_fail_store(&exchange->operation, error, "count the sessions");
    operation_end(&exchange->operation, error);
}

static void count_sessions(struct exchange *exchange)
{
    store_session_tally(exchange->gate->store, clock_now(), &exchange->tally,
                        (struct store_reply){on_counted, exchange});
}

static enum error get_status(struct exchange *exchange)
{
    exchange->document = control_json_status(exchange->gate, exchange->tally.active, clock_now());
    return OK;
}

static enum error get_metrics(struct exchange *exchange)
{
    control_json_metrics(exchange_write(exchange, "text/plain; version=0.0.4"), exchange->gate,
                         exchange->tally.active, clock_now());
    return OK;
}

static void count_after_proof(struct operation *operation)
{
    count_sessions(operation->context);
}

/* Whoever spells it otherwise would believe what was not found out. */
static void begin_register(struct exchange *exchange)
{
    const char *prove = exchange_query(exchange, "prove");

    if (prove != NULL && strcmp(prove, "1") != 0)
        operation_end(&exchange->operation, operation_fail(&exchange->operation, ERROR_SYNTAX,
                                                           "a proof is asked for by \"prove=1\""));
    else if (prove != NULL)
        launched_prove(&exchange->operation, count_after_proof);
    else
        count_sessions(exchange);
}

static enum error get_register(struct exchange *exchange)
{
    struct register_facts facts[CONFIG_SURFACES_MAX];
    char lacking[PROOFS_LACKING_SIZE];
    size_t count = exchange->gate->surfaces.count;
    const char *wanted = exchange_query(exchange, "format");
    bool markdown = wanted != NULL && strcmp(wanted, "md") == 0;
    enum error error;

    if (wanted != NULL && !markdown && strcmp(wanted, "json") != 0)
        return operation_fail(&exchange->operation, ERROR_SYNTAX,
                              "the register is rendered as \"md\" or \"json\"");
    proofs_lacking(exchange->gate, lacking);
    error = register_state_gather(exchange->gate, &exchange->tally, lacking, facts);
    if (error != OK)
        return error;
    error = register_render(
        facts, count, markdown ? REGISTER_MARKDOWN : REGISTER_JSON,
        exchange_write(exchange, markdown ? "text/markdown; charset=utf-8" : "application/json"));
    for (size_t i = 0; i < count; i++)
        register_facts_clear(&facts[i]);
    return error;
}

static enum error get_surfaces(struct exchange *exchange)
{
    exchange->document = json_pack("{s:o}", "surfaces", control_json_surfaces(exchange->gate));
    return OK;
}

static bool is_asked(const struct exchange *exchange, const char *parameter)
{
    const char *value = exchange_query(exchange, parameter);

    return value != NULL && strcmp(value, "1") == 0;
}

static void kill_scope(struct exchange *exchange, const char *surface)
{
    const char *rehearse = exchange_query(exchange, "rehearse");

    /* Whoever means it, and spells it otherwise, revokes nothing. */
    if (rehearse != NULL && strcmp(rehearse, "1") != 0)
        operation_end(&exchange->operation,
                      operation_fail(&exchange->operation, ERROR_SYNTAX,
                                     "a rehearsal is asked for by \"rehearse=1\""));
    else if (rehearse != NULL)
        switches_rehearse(&exchange->operation, surface);
    else
        switches_kill(&exchange->operation, surface);
}

static void kill_surface(struct exchange *exchange)
{
    kill_scope(exchange, exchange->name);
}

static void kill_all(struct exchange *exchange)
{
    kill_scope(exchange, NULL);
}

static void arm_surface(struct exchange *exchange)
{
    switches_arm(&exchange->operation, exchange->name);
}

static void restart_surface(struct exchange *exchange)
{
    launched_restart(&exchange->operation, exchange->name);
}

static void enter_surface(struct exchange *exchange)
{
    launched_enter(&exchange->operation, exchange->name, &exchange->answer->descriptor);
}

static enum error show_entered(struct exchange *exchange)
{
    exchange->answer->brings = true;
    exchange->document = json_pack("{s:s}", "surface", exchange->name);
    return OK;
}

static enum error show_surface(struct exchange *exchange)
{
    const struct gate *gate = exchange->gate;

    exchange->document = control_json_surface(gate, surfaces_find(&gate->surfaces, exchange->name));
    return OK;
}

static enum error show_killed(struct exchange *exchange)
{
    exchange->document = control_json_killed(&exchange->operation, is_asked(exchange, "rehearse"));
    return OK;
}

/* ---- Parameter records ---- */

static void put_record(struct exchange *exchange)
{
    records_put(&exchange->operation, exchange->name, exchange_query(exchange, "surface"),
                exchange->request->body, &exchange->stored);
}

static enum error show_stored(struct exchange *exchange)
{
    exchange->document = control_json_params(&exchange->stored);
    return OK;
}

/*
 * The record itself is the last member: as it was put if it is revealed, byte
 * for byte, so it is no document that could be written anew.
 */
static enum error write_record(struct exchange *exchange, const struct store_params *stored,
                               struct span text, bool reveal)
{
    struct buffer *out = exchange_write(exchange, "application/json");
    enum error error = json_append(out, control_json_params(stored));

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
    bool reveal = is_asked(exchange, "reveal");
    struct store_params stored;
    struct buffer json;
    enum error error;

    buffer_init(&json, PARAMS_BYTES_MAX);
    error = records_get(&exchange->operation, exchange->name, reveal, &stored, &json);
    if (error == OK)
        error = write_record(exchange, &stored, (struct span){json.data, json.length}, reveal);
    buffer_wipe(&json);
    return error;
}

static void delete_record(struct exchange *exchange)
{
    records_remove(&exchange->operation, exchange->name);
}

static enum error show_nothing(struct exchange *exchange)
{
    exchange->document = json_object();
    return OK;
}

static void reload(struct exchange *exchange)
{
    reload_files(&exchange->operation);
}

static enum error show_reload(struct exchange *exchange)
{
    exchange->document =
        control_json_reload(exchange->gate, exchange->operation.way.reload.difference);
    return OK;
}

static const struct control_handler handlers[] = {
    {"GET", "/v1/status", count_sessions, get_status, {NULL}, 200},
    {"GET", "/v1/metrics", count_sessions, get_metrics, {NULL}, 200},
    {"GET", "/v1/register", begin_register, get_register, {"format", "prove"}, 200},
    {"GET", "/v1/surfaces", NULL, get_surfaces, {NULL}, 200},
    {"POST", "/v1/kill", kill_all, show_killed, {"rehearse"}, 200},
    {"POST", "/v1/surfaces/{}/kill", kill_surface, show_killed, {"rehearse"}, 200},
    {"POST", "/v1/surfaces/{}/arm", arm_surface, show_surface, {NULL}, 200},
    {"POST", "/v1/surfaces/{}/enter", enter_surface, show_entered, {NULL}, 200},
    {"POST", "/v1/surfaces/{}/restart", restart_surface, show_surface, {NULL}, 200},
    {"POST", "/v1/reload", reload, show_reload, {NULL}, 200},
    {"GET", "/v1/params", NULL, lists_params, {"limit", "after"}, 200},
    {"GET", "/v1/params/{}", NULL, get_record, {"reveal"}, 200},
    {"PUT", "/v1/params/{}", put_record, show_stored, {"surface"}, 200},
    {"DELETE", "/v1/params/{}", delete_record, show_nothing, {NULL}, 200},
    {"GET", "/v1/sessions", NULL, lists_sessions, {"limit", "after"}, 200},
    {"POST", "/v1/sessions", answer_create, answer_token, {NULL}, 201},
    {"DELETE", "/v1/sessions", answer_revoke_all, answer_count, {"surface"}, 200},
    {"GET", "/v1/sessions/{}", NULL, answer_session, {NULL}, 200},
    {"DELETE", "/v1/sessions/{}", answer_revoke, show_nothing, {NULL}, 200},
    {"POST", "/v1/sessions/{}/ticket", NULL, answer_ticket, {NULL}, 201},
    {"POST", "/v1/sessions/{}/login", NULL, answer_login, {"host"}, 201},
    {"POST", "/v1/sessions/{}/renew", answer_renew, answer_token, {NULL}, 200},
};

static unsigned status_of(const struct operation *operation, enum error error)
{
    switch (error) {
    case ERROR_SYNTAX:
        return 400;
    case ERROR_INVALID:
    case ERROR_DENIED:
        return 422;
    case ERROR_LIMIT:
        return 413;
    case ERROR_NOT_FOUND:
        return 404;
    case ERROR_EXISTS:
    case ERROR_STATE:
        return 409;
    default:
        return operation->reason == REASON_AUDIT_UNAVAILABLE ? 503 : 500;
    }
}

/* ,"faults":["...","..."]: one a line. */
static void write_faults(struct buffer *out, const char *lines)
{
    struct span rest = span_of(lines);

    buffer_append_text(out, ",\"faults\":[");
    while (rest.length > 0) {
        struct span line = span_split(&rest, '\n');

        buffer_append_json_string(out, line.data, line.length);
        buffer_append_text(out, rest.length > 0 ? "," : "");
    }
    buffer_append_text(out, "]");
}

static void write_problem(struct control_answer *answer, unsigned status, enum reason reason,
                          const char *detail, const char *faults)
{
    buffer_reset(&answer->body);
    answer->status = status;
    answer->content_type = "application/problem+json";
    buffer_append_format(&answer->body, "{\"status\":%u", status);
    if (reason != REASON_INTERNAL)
        buffer_append_format(&answer->body, ",\"reason\":\"%s\"", reason_info(reason)->code);
    /* It may quote what was sent, which need not be UTF-8: jansson would not take that. */
    buffer_append_text(&answer->body, ",\"detail\":");
    buffer_append_json_string(&answer->body, detail, strlen(detail));
    if (faults != NULL)
        write_faults(&answer->body, faults);
    buffer_append_text(&answer->body, "}\n");
}

void control_routes_problem(struct control_answer *answer, unsigned status, const char *detail)
{
    write_problem(answer, status, REASON_INTERNAL, detail, NULL);
}

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

static bool parameter_known(const struct control_handler *handler, const char *name)
{
    for (size_t i = 0; i < sizeof(handler->query) / sizeof(handler->query[0]); i++) {
        if (handler->query[i] != NULL && strcmp(handler->query[i], name) == 0)
            return true;
    }
    return false;
}

/* A parameter that would be ignored could be a misspelt restriction: refused; so is one twice. */
static bool query_known(const struct control_handler *handler,
                        const struct control_request *request)
{
    for (size_t i = 0; i < request->query_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(request->query[i].name, request->query[j].name) == 0)
                return false;
        }
        if (!parameter_known(handler, request->query[i].name))
            return false;
    }
    return true;
}

static enum error write_answer(struct exchange *exchange)
{
    struct control_answer *out = exchange->answer;
    enum error error;

    buffer_reset(&out->body);
    out->status = exchange->handler->status;
    error = exchange->handler->answer(exchange);
    if (error != OK) {
        json_decref(exchange->document);
    } else if (out->content_type == NULL) {
        out->content_type = "application/json";
        error = json_append(&out->body, exchange->document);
        buffer_append_text(&out->body, "\n");
    }
    return error;
}

/* The operation behind it has ended. */
static void end(struct operation *operation, enum error error)
{
    struct exchange *exchange = operation->context;
    struct control_answer *out = exchange->answer;

    if (error == OK)
        error = write_answer(exchange);
    if (error != OK)
        write_problem(out, status_of(operation, error), operation->reason,
                      operation->why[0] != '\0' ? operation->why : error_text(error),
                      operation->faults);
    else if (buffer_failed(&out->body))
        control_routes_problem(out, 500,
                               "the answer is too large; revoke or remove what is not needed");
    free(operation->faults);
    exchange->done(exchange->context);
    free(exchange);
}

static void begin(struct exchange *exchange)
{
    if (exchange->handler->begin != NULL)
        exchange->handler->begin(exchange);
    else
        end(&exchange->operation, OK);
}

/* Who finds it, and in *name what {} stands for; NULL: nobody. */
static const struct control_handler *find_handler(const struct control_request *request,
                                                  char name[CONTROL_PATH_BYTES_MAX],
                                                  bool *path_known)
{
    *path_known = false;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        const struct control_handler *at = &handlers[i];

        if (!matches(at->pattern, request->path, name))
            continue;
        *path_known = true;
        if (strcmp(at->method, request->method) == 0)
            return at;
    }
    return NULL;
}

static struct exchange *create(struct gate *gate, const struct control_request *request,
                               struct control_answer *out)
{
    struct exchange *exchange = calloc(1, sizeof(*exchange));

    if (exchange == NULL)
        return NULL;
    exchange->gate = gate;
    exchange->request = request;
    exchange->answer = out;
    operation_init(&exchange->operation, gate, request->uid);
    exchange->operation.done = end;
    exchange->operation.context = exchange;
    return exchange;
}

void control_routes_answer(struct gate *gate, const struct control_request *request,
                           struct control_answer *out, void (*done)(void *context), void *context)
{
    char name[CONTROL_PATH_BYTES_MAX] = "";
    bool path_known;
    const struct control_handler *handler = find_handler(request, name, &path_known);
    struct exchange *exchange = NULL;

    if (handler == NULL)
        control_routes_problem(out, path_known ? 405 : 404,
                               path_known ? "this path does not take that method"
                                          : "there is no such path in the control API");
    else if (!query_known(handler, request))
        control_routes_problem(out, 400,
                               "the query names a parameter that this path does not take");
    else if ((exchange = create(gate, request, out)) == NULL)
        control_routes_problem(out, 500, error_text(ERROR_MEMORY));
    if (exchange == NULL) {
        done(context);
        return;
    }
    exchange->handler = handler;
    exchange->done = done;
    exchange->context = context;
    memcpy(exchange->name, name, sizeof(name));
    begin(exchange);
}
