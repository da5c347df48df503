/* What each path of the control API does, and who finds it. */
#include "broker/control/routes.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/core/journal.h"
#include "broker/operations/operation.h"
#include "broker/operations/register.h"
#include "json/parse.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_URL_BYTES_MAX 512

/* A request on its way to one who answers. */
struct exchange {
    struct gate *gate;
    const struct control_request *request;
    struct control_answer *answer;
    struct json_t *document; /* the answer, of whoever does not write its body; NULL: no memory */
    struct operation operation;
    char name[CONTROL_PATH_BYTES_MAX]; /* what {} in the pattern matched */
};

/* What can be asked, a row a method and path. */
struct control_handler {
    const char *method, *pattern; /* in which {} stands for one segment */
    enum error (*answer)(struct exchange *exchange);
    const char *query; /* the one parameter that is understood, or NULL */
    unsigned status;   /* when it succeeds */
};

/* The parameter of the query; NULL if it was not given. */
static const char *query_of(const struct exchange *exchange)
{
    return exchange->request->query_count > 0 ? exchange->request->query[0].value : NULL;
}

/* Begins an answer that is not a document. */
static struct buffer *begin_text(struct exchange *exchange, const char *content_type)
{
    exchange->answer->content_type = content_type;
    return &exchange->answer->body;
}

static enum error get_status(struct exchange *exchange)
{
    int64_t now = clock_now();
    size_t active;
    enum error error = sessions_count(exchange->gate, now, &active);

    if (error == OK)
        exchange->document = control_json_status(exchange->gate, active, now);
    return error;
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
    const char *wanted = query_of(exchange);
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
    exchange->document = json_pack("{s:o}", "surfaces", control_json_surfaces(exchange->gate));
    return OK;
}

static enum error set_killed(struct exchange *exchange, bool killed)
{
    const struct gate *gate = exchange->gate;
    enum error error = switches_set_killed(&exchange->operation, exchange->name, killed);

    if (error == OK)
        exchange->document =
            control_json_surface(gate, surfaces_find(&gate->surfaces, exchange->name));
    return error;
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

    exchange->document = json_pack("{s:o}", "params", array);
    return error;
}

static enum error put_record(struct exchange *exchange)
{
    struct store_params stored;
    enum error error = records_put(&exchange->operation, exchange->name, query_of(exchange),
                                   exchange->request->body, &stored);

    if (error == OK)
        exchange->document = control_json_params(&stored);
    return error;
}

/*
 * The record itself is the last member: as it was put if it is revealed, byte
 * for byte, so it is no document that could be written anew.
 */
static enum error write_record(struct exchange *exchange, const struct store_params *stored,
                               struct span text, bool reveal)
{
    struct buffer *out = begin_text(exchange, "application/json");
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
    const char *revealing = query_of(exchange);
    bool reveal = revealing != NULL && strcmp(revealing, "1") == 0;
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

static enum error delete_record(struct exchange *exchange)
{
    exchange->document = json_object();
    return records_remove(&exchange->operation, exchange->name);
}

static enum error post_reload(struct exchange *exchange)
{
    enum error error = switches_reload(&exchange->operation);

    if (error == OK)
        exchange->document = control_json_certificates(exchange->gate);
    return error;
}

/* A list in the making. */
struct listing {
    json_t *array;
    const struct gate *gate;
    int64_t now;
};

static void list_session(void *context, const struct session *session)
{
    struct listing *listing = context;

    json_array_append_new(listing->array,
                          control_json_session(listing->gate, session, listing->now));
}

static enum error get_sessions(struct exchange *exchange)
{
    struct listing listing = {json_array(), exchange->gate, clock_now()};
    enum error error = store_session_each(exchange->gate->store, list_session, &listing);

    exchange->document = json_pack("{s:o}", "sessions", listing.array);
    return error;
}

/* Gives out a token; clears both. */
static enum error give_token(struct exchange *exchange, struct session *session, char *token)
{
    exchange->document = control_json_created(session, token);
    secret_wipe(token, strlen(token));
    free(token);
    session_clear(session);
    return OK;
}

static enum error create_session(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    struct session session;
    int64_t ttl_s;
    char *token;
    enum error error = control_input_session(operation, exchange->request->body, &session, &ttl_s);

    if (error == OK)
        error = sessions_create(operation, &session, ttl_s, &token);
    return error == OK ? give_token(exchange, &session, token) : error;
}

static enum error renew_session(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    struct session session;
    int64_t ttl_s;
    char *token;
    enum error error = control_input_renewal(operation, exchange->request->body, &ttl_s);

    if (error == OK)
        error = sessions_renew(operation, exchange->name, ttl_s, &session, &token);
    return error == OK ? give_token(exchange, &session, token) : error;
}

static enum error get_session(struct exchange *exchange)
{
    struct session session;
    enum error error = sessions_find(&exchange->operation, exchange->name, &session);

    if (error != OK)
        return error;
    exchange->document = control_json_session(exchange->gate, &session, clock_now());
    session_clear(&session);
    return OK;
}

static enum error revoke_session(struct exchange *exchange)
{
    exchange->document = json_object();
    return sessions_revoke(&exchange->operation, exchange->name);
}

static enum error revoke_sessions(struct exchange *exchange)
{
    size_t count;
    enum error error = sessions_revoke_all(&exchange->operation, query_of(exchange), &count);

    if (error == OK)
        exchange->document = json_pack("{s:I}", "revoked", (json_int_t)count);
    return error;
}

static enum error issue_ticket(struct exchange *exchange)
{
    char ticket[TICKET_SIZE];
    int64_t expires_at;
    enum error error =
        sessions_issue_ticket(&exchange->operation, exchange->name, ticket, &expires_at);

    if (error != OK)
        return error;
    exchange->document =
        json_pack("{s:s, s:o}", "ticket", ticket, "expires_at", control_json_time(expires_at));
    secret_wipe(ticket, sizeof(ticket));
    return OK;
}

static enum error issue_login(struct exchange *exchange)
{
    int64_t expires_at;
    struct buffer url;
    enum error error;

    buffer_init(&url, LOGIN_URL_BYTES_MAX);
    error =
        logins_issue(&exchange->operation, exchange->name, query_of(exchange), &url, &expires_at);
    if (error == OK)
        exchange->document = json_pack("{s:s, s:o, s:s}", "url", url.data, "expires_at",
                                       control_json_time(expires_at), "session", exchange->name);
    buffer_wipe(&url);
    return error;
}

static const struct control_handler handlers[] = {
    {"GET", "/v1/status", get_status, NULL, 200},
    {"GET", "/v1/metrics", get_metrics, NULL, 200},
    {"GET", "/v1/register", get_register, "format", 200},
    {"GET", "/v1/surfaces", get_surfaces, NULL, 200},
    {"POST", "/v1/surfaces/{}/kill", kill_surface, NULL, 200},
    {"POST", "/v1/surfaces/{}/arm", arm_surface, NULL, 200},
    {"POST", "/v1/reload", post_reload, NULL, 200},
    {"GET", "/v1/params", get_params, NULL, 200},
    {"GET", "/v1/params/{}", get_record, "reveal", 200},
    {"PUT", "/v1/params/{}", put_record, "surface", 200},
    {"DELETE", "/v1/params/{}", delete_record, NULL, 200},
    {"GET", "/v1/sessions", get_sessions, NULL, 200},
    {"POST", "/v1/sessions", create_session, NULL, 201},
    {"DELETE", "/v1/sessions", revoke_sessions, "surface", 200},
    {"GET", "/v1/sessions/{}", get_session, NULL, 200},
    {"DELETE", "/v1/sessions/{}", revoke_session, NULL, 200},
    {"POST", "/v1/sessions/{}/ticket", issue_ticket, NULL, 201},
    {"POST", "/v1/sessions/{}/login", issue_login, "host", 201},
    {"POST", "/v1/sessions/{}/renew", renew_session, NULL, 200},
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

static void write_problem(struct control_answer *answer, unsigned status, enum reason reason,
                          const char *detail)
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
    buffer_append_text(&answer->body, "}\n");
}

void control_routes_problem(struct control_answer *answer, unsigned status, const char *detail)
{
    write_problem(answer, status, REASON_INTERNAL, detail);
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

/* A parameter that would be ignored could be a misspelt restriction: refused. */
static bool query_known(const struct control_handler *handler,
                        const struct control_request *request)
{
    if (request->query_count == 0)
        return true;
    return request->query_count == 1 && handler->query != NULL &&
           strcmp(request->query[0].name, handler->query) == 0;
}

static void answer(const struct control_handler *handler, struct exchange *exchange)
{
    struct control_answer *out = exchange->answer;
    struct operation *operation = &exchange->operation;
    enum error error;

    if (!query_known(handler, exchange->request)) {
        control_routes_problem(out, 400,
                               "the query names a parameter that this path does not take");
        return;
    }
    buffer_reset(&out->body);
    out->status = handler->status;
    error = handler->answer(exchange);
    if (error != OK) {
        json_decref(exchange->document);
    } else if (out->content_type == NULL) {
        out->content_type = "application/json";
        error = json_append(&out->body, exchange->document);
        buffer_append_text(&out->body, "\n");
    }
    if (error != OK)
        write_problem(out, status_of(operation, error), operation->reason,
                      operation->why[0] != '\0' ? operation->why : error_text(error));
    else if (buffer_failed(&out->body))
        control_routes_problem(out, 500,
                               "the answer is too large; revoke or remove what is not needed");
}

void control_routes_answer(struct gate *gate, const struct control_request *request,
                           struct control_answer *out)
{
    struct exchange exchange = {.gate = gate, .request = request, .answer = out};
    bool path_known = false;

    operation_init(&exchange.operation, gate, request->uid);
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        const struct control_handler *at = &handlers[i];

        if (!matches(at->pattern, request->path, exchange.name))
            continue;
        path_known = true;
        if (strcmp(at->method, request->method) == 0) {
            answer(at, &exchange);
            return;
        }
    }
    control_routes_problem(out, path_known ? 405 : 404,
                           path_known ? "this path does not take that method"
                                      : "there is no such path in the control API");
}
