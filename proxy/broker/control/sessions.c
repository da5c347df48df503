/* What is asked about sessions. Called by its rows in routes.c. */
#include "broker/control/exchange.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/core/journal.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_URL_BYTES_MAX 512

void answer_create(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    int64_t ttl_s;
    enum error error =
        control_input_session(operation, exchange->request->body, &exchange->session, &ttl_s);

    if (error == OK)
        sessions_create(operation, &exchange->session, ttl_s, &exchange->token);
    else
        operation_end(operation, error);
}

void answer_renew(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    int64_t ttl_s;
    enum error error = control_input_renewal(operation, exchange->request->body, &ttl_s);

    if (error == OK)
        sessions_renew(operation, exchange->name, ttl_s, &exchange->session, &exchange->token);
    else
        operation_end(operation, error);
}

/* Gives out a token; clears both. */
enum error answer_token(struct exchange *exchange)
{
    exchange->document = control_json_created(&exchange->session, exchange->token);
    secret_wipe(exchange->token, strlen(exchange->token));
    free(exchange->token);
    session_clear(&exchange->session);
    return OK;
}

enum error answer_session(struct exchange *exchange)
{
    struct session session;
    enum error error = sessions_find(&exchange->operation, exchange->name, &session);

    if (error != OK)
        return error;
    exchange->document = control_json_session(exchange->gate, &session, clock_now());
    session_clear(&session);
    return OK;
}

void answer_revoke(struct exchange *exchange)
{
    sessions_revoke(&exchange->operation, exchange->name);
}

void answer_revoke_all(struct exchange *exchange)
{
    sessions_revoke_all(&exchange->operation, exchange_query(exchange, "surface"),
                        &exchange->count);
}

enum error answer_count(struct exchange *exchange)
{
    exchange->document = json_pack("{s:I}", "revoked", (json_int_t)exchange->count);
    return OK;
}

enum error answer_ticket(struct exchange *exchange)
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

enum error answer_login(struct exchange *exchange)
{
    int64_t expires_at;
    struct buffer url;
    enum error error;

    buffer_init(&url, LOGIN_URL_BYTES_MAX);
    error = logins_issue(&exchange->operation, exchange->name, exchange_query(exchange, "host"),
                         &url, &expires_at);
    if (error == OK)
        exchange->document = json_pack("{s:s, s:o, s:s}", "url", url.data, "expires_at",
                                       control_json_time(expires_at), "session", exchange->name);
    buffer_wipe(&url);
    return error;
}
