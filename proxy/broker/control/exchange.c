#include "broker/control/exchange.h"

#include <string.h>

const char *exchange_query(const struct exchange *exchange, const char *name)
{
    const struct control_request *request = exchange->request;

    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0)
            return request->query[i].value;
    }
    return NULL;
}

bool exchange_asks(const struct exchange *exchange, const char *name)
{
    const char *value = exchange_query(exchange, name);

    return value != NULL && strcmp(value, "1") == 0;
}

struct buffer *exchange_write(struct exchange *exchange, const char *content_type)
{
    exchange->answer->content_type = content_type;
    return &exchange->answer->body;
}
