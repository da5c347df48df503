/* The content gates that the route alone needs: worker.c chooses one, http.c asks it. */
#include "vet/rewrite.h"
#include "worker/http/exchange.h"

/* A coding that nobody applied. */
static bool is_identity(struct span coding)
{
    return coding.data == NULL || span_equals_nocase(coding, "identity");
}

enum reason content_check_json(const struct http_request *request)
{
    struct span type, coding;
    enum reason reason = http_fields_single(&request->fields, "content-type", &type);

    if (reason_allows(reason))
        reason = http_fields_single(&request->fields, "content-encoding", &coding);
    if (!reason_allows(reason))
        return reason;
    if (!is_identity(coding))
        return REASON_CONTENT_ENCODING;
    return http_media_type_json(type);
}

/* ---- A body that is compared with the stored one ---- */

static struct gate_verdict stored_begins(struct exchange *exchange)
{
    enum reason reason = content_check_json(&exchange->connection->client->head->request);

    return reason_allows(reason) ? gate_go(GATE_HOLD) : gate_drop(reason);
}

static struct gate_verdict stored_whole(struct exchange *exchange, struct span body)
{
    const struct connection *connection = exchange->connection;
    enum reason reason = stored_body_digest(connection->worker->scan, connection->route->body, body,
                                            exchange->body_digest);

    return reason_allows(reason) ? gate_go(GATE_PASS) : gate_drop(reason);
}

/* ---- An answer whose URLs are rewritten ---- */

static struct gate_verdict rewrite_begins(struct exchange *exchange,
                                          const struct http_response *response)
{
    struct span type, coding;

    if (exchange->answer_body.done)
        return gate_go(GATE_PASS);
    if (!reason_allows(http_fields_single(&response->fields, "content-type", &type)) ||
        !reason_allows(http_fields_single(&response->fields, "content-encoding", &coding)))
        return gate_drop(REASON_ANSWER_DUPLICATE);
    if (!reason_allows(http_media_type_json(type)))
        return gate_go(GATE_PASS);
    if (is_identity(coding))
        return gate_go(GATE_HOLD);
    client_saw(exchange->connection->client, coding);
    return gate_drop(REASON_ANSWER_ENCODED);
}

static struct gate_verdict rewrite_whole(struct exchange *exchange,
                                         const struct http_response *response, struct span body)
{
    const struct connection *connection = exchange->connection;
    const struct rewrite_addresses addresses = {
        .limits = &connection->surface->json_limits[DIRECTION_S2C],
        .sent = exchange->host,
        .client = exchange->cover.host,
        .secure = connection->surface->tls != NULL};
    struct buffer *text = &exchange->text;
    struct gate_verdict verdict = {.action = GATE_SEND, .text = body};

    (void)response;
    if (!reason_allows(rewrite_answer(connection->worker->scan, connection->route->answer,
                                      &addresses, body, text)))
        return gate_drop(REASON_ANSWER_JSON);
    if (text->length > 0)
        verdict.text = (struct span){text->data, text->length};
    return verdict;
}

/* By whether the route has a stored body, and an answer that is rewritten. */
static const struct content_gate gates[2][2] = {
    {{.reads_answer = false},
     {.reads_answer = true, .answer_begins = rewrite_begins, .answer_whole = rewrite_whole}},
    {{.request_begins = stored_begins, .request_whole = stored_whole},
     {.reads_answer = true,
      .request_begins = stored_begins,
      .request_whole = stored_whole,
      .answer_begins = rewrite_begins,
      .answer_whole = rewrite_whole}},
};

const struct content_gate *content_gate_of(const struct route *route)
{
    return &gates[route->body != NULL][route->answer != NULL];
}
