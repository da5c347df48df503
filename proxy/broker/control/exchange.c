#include "broker/control/exchange.h"

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

void control_exchange_fail(struct exchange *exchange, enum error error)
{
    struct operation *operation = &exchange->operation;
    const char *detail = operation->why[0] != '\0' ? operation->why : error_text(error);

    control_routes_problem(exchange->answer, status_of(operation, error), operation->reason,
                           detail);
}

struct buffer *control_exchange_begin(struct exchange *exchange, unsigned status)
{
    buffer_reset(&exchange->answer->body);
    exchange->answer->status = status;
    exchange->answer->content_type = "application/json";
    return &exchange->answer->body;
}

const char *control_exchange_query(const struct exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->request->query_count; i++) {
        if (strcmp(exchange->request->query[i].name, name) == 0)
            return exchange->request->query[i].value;
    }
    return NULL;
}

void control_exchange_no_content(struct exchange *exchange)
{
    buffer_append_text(control_exchange_begin(exchange, 200), "{}\n");
}
