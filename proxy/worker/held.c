/* Bodies that are held until somebody has looked into them. */
#include "worker/exchange.h"

enum reason held_begin(struct connection *connection, bool *hold)
{
    *hold = connection->route->body != NULL || connection->route->kind == ROUTE_MCP_HTTP;
    return *hold ? REASON_INTERNAL : REASON_ALLOWED;
}

void held_complete(struct connection *connection)
{
    exchange_forward(connection);
}

enum answer_mode held_answer_mode(struct connection *connection,
                                  const struct http_response *response)
{
    (void)connection;
    (void)response;
    return ANSWER_STREAM;
}

void held_answer(struct connection *connection)
{
    connection_drop(connection, REASON_INTERNAL);
}
