#include "policy/admission.h"
#include "policy/own_path.h"
#include "policy/token.h"
#include "worker/http/exchange.h"

#include <stdlib.h>
#include <string.h>

static void clear(struct grant *grant)
{
    free(grant->host);
    free(grant->origin);
    if (grant->authorization != NULL)
        secret_wipe(grant->authorization, strlen(grant->authorization));
    free(grant->authorization);
    *grant = (struct grant){0};
}

static bool keep(const char *text, char **out)
{
    if (text != NULL)
        *out = strdup(text);
    return (text == NULL) == (*out == NULL);
}

void grant_given(struct connection *connection, const struct ipc_verdict *verdict,
                 const struct ipc_admit *admit)
{
    struct grant *grant = NULL;

    /* From here on its end is told, whatever happens. */
    connection->admitted = connection->opened = true;
    memcpy(connection->session_id, verdict->session_id, sizeof(connection->session_id));
    if (exchange_create(connection) != OK || connection_keep_verdict(connection, verdict) != OK) {
        connection_drop(connection, REASON_INTERNAL);
        return;
    }
    grant = &connection->exchange->grant;
    clear(grant);
    grant->given = keep(admit->host, &grant->host) && keep(admit->origin, &grant->origin) &&
                   keep(admit->authorization, &grant->authorization);
    exchange_begin(connection, admit);
}

static bool same(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

/*
 * Only a bearer's requests: a cookie counts by what else a request brings. A
 * token in the query is for the broker, which revokes its session.
 */
bool grant_covers(const struct connection *connection, const struct ipc_admit *admit)
{
    const struct grant *grant;
    char token[TOKEN_BYTES_MAX + 1];

    if (connection->exchange == NULL || admit->upgrade || admit->authorization == NULL ||
        admit->subprotocols != NULL || own_path_is(admit->path))
        return false;
    grant = &connection->exchange->grant;
    return grant->given && same(grant->host, admit->host) && same(grant->origin, admit->origin) &&
           same(grant->authorization, admit->authorization) &&
           !admission_token_in_query(admit->query, token, sizeof(token));
}

void grant_end(struct connection *connection, enum reason reason)
{
    if (connection->exchange != NULL) {
        clear(&connection->exchange->grant);
        buffer_clear(&connection->exchange->reply);
    }
    if (!connection->admitted)
        return;
    connection->reason = reason;
    report_closed(connection);
    connection->admitted = connection->opened = false;
    connection->session_id[0] = '\0';
    memset(connection->messages, 0, sizeof(connection->messages));
    if (connection->exchange != NULL)
        connection->exchange->requests = 0;
    /* What is asked next is another connection to the broker. */
    connection->id = ++connection->worker->next_id;
}
