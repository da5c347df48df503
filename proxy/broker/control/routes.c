/* What each path of the control API does, and who finds it. */
#include "broker/control/routes.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/core/journal.h"
#include "broker/core/proofs.h"
#include "broker/operations/operation.h"
#include "broker/operations/register.h"
#include "broker/telemetry/metrics.h"

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
    const char *about;    /* a phrase for the manual */
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
    metrics_write(exchange_write(exchange, "text/plain; version=0.0.4"), exchange->gate,
                  exchange->tally.active, clock_now());
    return OK;
}

static enum error get_health(struct exchange *exchange)
{
    exchange->document = control_json_health(exchange->gate);
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
    {"GET",
     "/v1/status",
     count_sessions,
     get_status,
     {NULL},
     200,
     "surfaces, connections, counters, and which fences are in force"},
    {"GET", "/v1/health", NULL, get_health, {NULL}, 200, "whether it serves, and if not, why"},
    {"GET", "/v1/metrics", count_sessions, get_metrics, {NULL}, 200, "counters for Prometheus"},
    {"GET",
     "/v1/register",
     begin_register,
     get_register,
     {"format", "prove"},
     200,
     "the loopback exception register; format=md has it as Markdown, prove=1 proves anew that "
     "services are behind the gate alone"},
    {"GET", "/v1/surfaces", NULL, get_surfaces, {NULL}, 200, "all surfaces"},
    {"POST",
     "/v1/kill",
     answer_switch_kill_all,
     answer_killed,
     {"rehearse"},
     200,
     "throws every kill switch; rehearse=1 cuts and measures, and changes nothing else"},
    {"POST",
     "/v1/surfaces/{}/kill",
     answer_switch_kill,
     answer_killed,
     {"rehearse"},
     200,
     "throws one, in the same way"},
    {"POST", "/v1/surfaces/{}/arm", answer_switch_arm, answer_surface, {NULL}, 200, "undoes it"},
    {"POST",
     "/v1/surfaces/{}/enter",
     answer_service_enter,
     answer_service_entered,
     {NULL},
     200,
     "the descriptor of the private network of its service comes with the answer (SCM_RIGHTS)"},
    {"POST",
     "/v1/surfaces/{}/restart",
     answer_service_restart,
     answer_surface,
     {NULL},
     200,
     "ends its service and starts it again; answered when the next is served"},
    {"POST",
     "/v1/reload",
     reload,
     show_reload,
     {NULL},
     200,
     "reads the configuration and all that it names again"},
    {"GET",
     "/v1/params",
     NULL,
     lists_params,
     {"limit", "after"},
     200,
     "a page of the parameter records, without their values"},
    {"GET",
     "/v1/params/{}",
     NULL,
     answer_record,
     {"reveal"},
     200,
     "one, its strings and numbers masked; reveal=1 has them"},
    {"PUT",
     "/v1/params/{}",
     answer_put,
     answer_stored,
     {"surface"},
     200,
     "stores the record in the body; with surface, for sessions of that one alone"},
    {"DELETE", "/v1/params/{}", answer_remove, show_nothing, {NULL}, 200, "removes it"},
    {"GET",
     "/v1/sessions",
     NULL,
     lists_sessions,
     {"limit", "after"},
     200,
     "a page of the sessions, oldest first"},
    {"POST",
     "/v1/sessions",
     answer_create,
     answer_token,
     {NULL},
     201,
     "makes one and answers with its token. The body: surface, and optionally params, ttl_s, "
     "verbs, targets, callers and once"},
    {"DELETE",
     "/v1/sessions",
     answer_revoke_all,
     answer_count,
     {"surface"},
     200,
     "revokes all, or those of one surface"},
    {"GET", "/v1/sessions/{}", NULL, answer_session, {NULL}, 200, "one session"},
    {"DELETE",
     "/v1/sessions/{}",
     answer_revoke,
     show_nothing,
     {NULL},
     200,
     "revokes it and closes its connections"},
    {"POST",
     "/v1/sessions/{}/ticket",
     NULL,
     answer_ticket,
     {NULL},
     201,
     "a ticket, good once and for 60 seconds"},
    {"POST",
     "/v1/sessions/{}/login",
     NULL,
     answer_login,
     {"host"},
     201,
     "a one-time address for a browser"},
    {"POST",
     "/v1/sessions/{}/renew",
     answer_renew,
     answer_token,
     {NULL},
     200,
     "lets it live on and answers with its new token. The body: nothing, or ttl_s"},
};

bool control_routes_row(size_t index, struct control_row *out)
{
    const struct control_handler *row = &handlers[index];

    if (index >= sizeof(handlers) / sizeof(handlers[0]))
        return false;
    *out =
        (struct control_row){row->method, row->pattern, {row->query[0], row->query[1]}, row->about};
    return true;
}

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
