#include "broker/control/session_routes.h"

#include "broker/control/input.h"
#include "broker/control/json.h"
#include "broker/core/clock.h"
#include "broker/operations/logins.h"
#include "broker/operations/sessions.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_URL_BYTES_MAX 512

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

enum error session_routes_list(struct exchange *exchange)
{
    struct listing listing = {json_array(), exchange->gate, clock_now()};
    enum error error = store_session_each(exchange->gate->store, list_session, &listing);

    if (error == OK)
        return control_exchange_answer(exchange, 200,
                                       json_pack("{s:o}", "sessions", listing.array));
    json_decref(listing.array);
    return error;
}

/* Gives out a token; clears both. */
static enum error answer_token(struct exchange *exchange, unsigned status, struct session *session,
                               char *token)
{
    enum error error =
        control_exchange_answer(exchange, status, control_json_created(session, token));

    secret_wipe(token, strlen(token));
    free(token);
    session_clear(session);
    return error;
}

enum error session_routes_create(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    struct session_request wanted;
    struct session session;
    json_t *document;
    char *token = NULL;
    enum error error = control_input_session(exchange->request->body, &wanted, &document,
                                             operation->why, sizeof(operation->why));

    if (error == OK) {
        error = sessions_create(operation, &wanted, &session, &token);
        control_input_clear(document, &wanted);
    }
    return error == OK ? answer_token(exchange, 201, &session, token) : error;
}

enum error session_routes_renew(struct exchange *exchange)
{
    struct operation *operation = &exchange->operation;
    struct session session;
    int64_t ttl_s = 0;
    char *token = NULL;
    enum error error = control_input_renewal(exchange->request->body, &ttl_s, operation->why,
                                             sizeof(operation->why));

    if (error == OK)
        error = sessions_renew(operation, exchange->name, ttl_s, &session, &token);
    return error == OK ? answer_token(exchange, 200, &session, token) : error;
}

enum error session_routes_show(struct exchange *exchange)
{
    struct session session;
    enum error error = store_session_get(exchange->gate->store, exchange->name, &session);

    if (error == ERROR_NOT_FOUND)
        return operation_fail(&exchange->operation, error,
                              "there is no such session; `sidelock session list` lists them");
    if (error != OK)
        return error;
    error = control_exchange_answer(exchange, 200,
                                    control_json_session(exchange->gate, &session, clock_now()));
    session_clear(&session);
    return error;
}

enum error session_routes_revoke(struct exchange *exchange)
{
    enum error error = sessions_revoke(&exchange->operation, exchange->name);

    return error == OK ? control_exchange_no_content(exchange) : error;
}

enum error session_routes_revoke_all(struct exchange *exchange)
{
    size_t count = 0;
    enum error error = sessions_revoke_all(&exchange->operation,
                                           control_exchange_query(exchange, "surface"), &count);

    if (error != OK)
        return error;
    return control_exchange_answer(exchange, 200, json_pack("{s:I}", "revoked", (json_int_t)count));
}

enum error session_routes_ticket(struct exchange *exchange)
{
    char ticket[TICKET_SIZE];
    int64_t expires_at = 0;
    enum error error =
        sessions_issue_ticket(&exchange->operation, exchange->name, ticket, &expires_at);

    if (error != OK)
        return error;
    error = control_exchange_answer(
        exchange, 201,
        json_pack("{s:s, s:o}", "ticket", ticket, "expires_at", control_json_time(expires_at)));
    secret_wipe(ticket, sizeof(ticket));
    return error;
}

enum error session_routes_login(struct exchange *exchange)
{
    int64_t expires_at = 0;
    struct buffer url;
    enum error error;

    buffer_init(&url, LOGIN_URL_BYTES_MAX);
    error = logins_issue(&exchange->operation, exchange->name,
                         control_exchange_query(exchange, "host"), &url, &expires_at);
    if (error == OK)
        error = control_exchange_answer(exchange, 201,
                                        json_pack("{s:s, s:o, s:s}", "url", url.data, "expires_at",
                                                  control_json_time(expires_at), "session",
                                                  exchange->name));
    buffer_wipe(&url);
    return error;
}
