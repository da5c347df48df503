#include "broker/control/exchange.h"

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

static int append(const char *bytes, size_t length, void *context)
{
    struct buffer *out = context;

    buffer_append(out, bytes, length);
    return buffer_failed(out) ? -1 : 0;
}

enum error control_exchange_append(struct buffer *out, json_t *document)
{
    int result = document != NULL ? json_dump_callback(document, append, out, JSON_COMPACT) : -1;

    json_decref(document);
    return result == 0 || buffer_failed(out) ? OK : ERROR_MEMORY;
}

enum error control_exchange_answer(struct exchange *exchange, unsigned status, json_t *document)
{
    struct control_answer *answer = exchange->answer;
    enum error error;

    buffer_reset(&answer->body);
    answer->status = status;
    answer->content_type = "application/json";
    error = control_exchange_append(&answer->body, document);
    buffer_append_text(&answer->body, "\n");
    return error;
}

enum error control_exchange_no_content(struct exchange *exchange)
{
    return control_exchange_answer(exchange, 200, json_object());
}

void control_exchange_problem(struct control_answer *answer, unsigned status, enum reason reason,
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

void control_exchange_fail(struct exchange *exchange, enum error error)
{
    struct operation *operation = &exchange->operation;
    const char *detail = operation->why[0] != '\0' ? operation->why : error_text(error);

    control_exchange_problem(exchange->answer, status_of(operation, error), operation->reason,
                             detail);
}

const char *control_exchange_query(const struct exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->request->query_count; i++) {
        if (strcmp(exchange->request->query[i].name, name) == 0)
            return exchange->request->query[i].value;
    }
    return NULL;
}
