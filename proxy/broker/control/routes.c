#include "broker/control/routes.h"

#include "json/parse.h"

#include <jansson.h>
#include <string.h>

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
    for (const struct control_handler *at = control_handlers; at->method != NULL; at++) {
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
