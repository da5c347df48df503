#include "worker/websocket/goodbye.h"

#include "worker/client/grant.h"
#include "worker/websocket/farewell.h"

#define LAST_WORDS_MS    1000
#define CLOSE_TIMEOUT_MS 2000

struct goodbye goodbye_for(enum reason reason)
{
    const struct reason_info *info = reason_info(reason);

    return (struct goodbye){reason, info->close_code, span_of(info->code)};
}

/* The service's side: what the gate found wrong with the client is not its business. */
static void close_service(struct websocket *websocket, const struct goodbye *goodbye)
{
    struct side *service = &websocket->service;
    unsigned code = 1001;

    /* A client that went without a word leaves the service without one, too; and where memory is
     * short, what a side has not taken is not kept. */
    if ((goodbye->reason == REASON_CLIENT_CLOSED && !websocket->client.close_received) ||
        goodbye->reason == REASON_QUOTA_HELD) {
        side_close(service);
        return;
    }
    if (goodbye->reason == REASON_CLIENT_CLOSED || goodbye->reason == REASON_UPSTREAM_CLOSED)
        code = goodbye->code;
    else if (service->is_lost) /* 1014 is for the client alone */
        code = goodbye->code == 1014 ? 1002 : goodbye->code;
    side_send_close(service, code, service->close_received ? (struct span){0} : goodbye->text);
}

/* The client's: what it has not taken is waited for only if it said goodbye itself. */
static void close_client(struct websocket *websocket, const struct goodbye *goodbye)
{
    struct side *client = &websocket->client;

    if (client->close_received && goodbye->reason != REASON_QUOTA_HELD)
        side_send_close(client, goodbye->code, (struct span){0});
    else if (side_is_blocked(client))
        side_close(client);
    else
        side_send_close(client, goodbye->code, goodbye->text);
}

/* Whatever it has waited for until now: this is due sooner. */
static void wait_for(struct connection *connection, uint64_t limit_ms)
{
    connection->deadline_ms = worker_now_ms(connection->worker) + limit_ms;
    connection_wake(connection);
}

void goodbye_both(struct websocket *websocket, const struct goodbye *goodbye)
{
    struct connection *connection = websocket->connection;

    websocket->state = WEBSOCKET_CLOSING;
    wait_for(connection, CLOSE_TIMEOUT_MS);
    connection->close_code = goodbye->code;
    grant_end(connection, goodbye->reason);
    side_pass_over(&websocket->client);
    side_pass_over(&websocket->service);
    farewell_say(websocket, goodbye->reason);
    close_service(websocket, goodbye);
    close_client(websocket, goodbye);
}

void goodbye_part(struct websocket *websocket, const struct goodbye *goodbye)
{
    websocket->state = WEBSOCKET_CLOSING;
    side_pass_over(&websocket->client);
    side_pass_over(&websocket->service);
    farewell_say(websocket, goodbye->reason);
    side_send_close(&websocket->client, goodbye->code, goodbye->text);
    side_rest(&websocket->client);
}

void goodbye_rest(struct websocket *websocket, const struct goodbye *goodbye)
{
    struct connection *connection = websocket->connection;

    wait_for(connection, CLOSE_TIMEOUT_MS);
    connection->close_code = goodbye->code;
    grant_end(connection, goodbye->reason);
    close_service(websocket, goodbye);
    side_watch(&websocket->client);
}

void goodbye_of_client(struct websocket *websocket, const struct goodbye *goodbye)
{
    struct connection *connection = websocket->connection;

    websocket->state = WEBSOCKET_LAST_WORDS;
    websocket->last_reason = goodbye->reason;
    websocket->last_code = goodbye->code;
    wait_for(connection, LAST_WORDS_MS);
    side_pass_over(&websocket->client);
    farewell_say(websocket, goodbye->reason);
    close_service(websocket, goodbye);
}

void goodbye_after_last_words(struct websocket *websocket)
{
    const struct goodbye goodbye = {websocket->last_reason, websocket->last_code,
                                    span_of(reason_info(websocket->last_reason)->code)};

    goodbye_both(websocket, &goodbye);
}
