#include "broker/control/session_routes.h"

#include "broker/control/exchange.h"
#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/operations/switches.h"

#include <stdlib.h>
#include <string.h>

#define LOGIN_URL_BYTES_MAX 512

static void list_session(void *context, const struct session *session)
{
    struct listing *listing = context;

    if (listing->count++ > 0)
        buffer_append_text(listing->out, ",");
    control_json_session(listing->out, listing->broker, session, listing->now);
}

void control_sessions_list(struct exchange *exchange)
{
    struct listing listing = {.out = control_exchange_begin(exchange, 200),
                              .broker = exchange->broker,
                              .now = broker_now()};
    enum error error;

    buffer_append_text(listing.out, "{\"sessions\":[");
    error = store_session_each(exchange->broker->store, list_session, &listing);
    buffer_append_text(listing.out, "]}\n");
    if (error != OK)
        control_exchange_fail(exchange, error);
}

/* Gives out a token; clears both. */
static void answer_token(struct exchange *exchange, unsigned status, struct session *session,
                         char *token)
{
    control_json_created(control_exchange_begin(exchange, status), session, token);
    buffer_append_text(&exchange->answer->body, "\n");
    secret_wipe(token, strlen(token));
    free(token);
    session_clear(session);
}

void control_sessions_create(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    struct control_document *document = NULL;
    struct session_request wanted = {0};
    struct session session;
    char *token = NULL;
    enum error error = control_input_session(exchange->request->body, &wanted, &document,
                                             operation->why, sizeof(operation->why));

    if (error == OK) {
        error = operations_create_session(operation, &wanted, &session, &token);
        control_input_clear(document, &wanted);
    }
    if (error != OK) {
        control_exchange_fail(exchange, error);
        return;
    }
    answer_token(exchange, 201, &session, token);
}

void control_sessions_renew(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    struct session session;
    int64_t ttl_s = 0;
    char *token = NULL;
    enum error error = control_input_renewal(exchange->request->body, &ttl_s, operation->why,
                                             sizeof(operation->why));

    if (error == OK)
        error = operations_renew_session(operation, exchange->name, ttl_s, &session, &token);
    if (error == OK)
        answer_token(exchange, 200, &session, token);
    else
        control_exchange_fail(exchange, error);
}

void control_sessions_show(struct exchange *exchange)
{
    struct session session;
    enum error error = store_session_get(exchange->broker->store, exchange->name, &session);

    if (error != OK) {
        if (error == ERROR_NOT_FOUND)
            operation_fail(&exchange->operation, error,
                           "there is no such session; `sidelock session list` lists them");
        control_exchange_fail(exchange, error);
        return;
    }
    control_json_session(control_exchange_begin(exchange, 200), exchange->broker, &session,
                         broker_now());
    buffer_append_text(&exchange->answer->body, "\n");
    session_clear(&session);
}

void control_sessions_revoke(struct exchange *exchange)
{
    enum error error = operations_revoke_session(&exchange->operation, exchange->name);

    if (error != OK)
        control_exchange_fail(exchange, error);
    else
        control_exchange_no_content(exchange);
}

void control_sessions_revoke_all(struct exchange *exchange)
{
    size_t count = 0;
    enum error error = operations_revoke_sessions(
        &exchange->operation, control_exchange_query(exchange, "surface"), &count);

    if (error != OK)
        control_exchange_fail(exchange, error);
    else
        buffer_append_format(control_exchange_begin(exchange, 200), "{\"revoked\":%zu}\n", count);
}

void control_sessions_ticket(struct exchange *exchange)
{
    char ticket[TICKET_SIZE], expires[CONTROL_TIME_SIZE];
    int64_t expires_at = 0;
    enum error error =
        operations_issue_ticket(&exchange->operation, exchange->name, ticket, &expires_at);

    if (error != OK) {
        control_exchange_fail(exchange, error);
        return;
    }
    control_json_time(expires_at, expires);
    buffer_append_format(control_exchange_begin(exchange, 201),
                         "{\"ticket\":\"%s\",\"expires_at\":\"%s\"}\n", ticket, expires);
    secret_wipe(ticket, sizeof(ticket));
}

void control_sessions_login(struct exchange *exchange)
{
    char expires[CONTROL_TIME_SIZE];
    int64_t expires_at = 0;
    struct buffer url, *out;
    enum error error;

    buffer_init(&url, LOGIN_URL_BYTES_MAX);
    error = operations_issue_login(&exchange->operation, exchange->name,
                                   control_exchange_query(exchange, "host"), &url, &expires_at);
    if (error == OK) {
        control_json_time(expires_at, expires);
        out = control_exchange_begin(exchange, 201);
        buffer_append_text(out, "{\"url\":");
        control_json_text(out, url.data);
        buffer_append_format(out, ",\"expires_at\":\"%s\",\"session\":\"%s\"}\n", expires,
                             exchange->name);
    } else {
        control_exchange_fail(exchange, error);
    }
    buffer_wipe(&url);
}
