/*
 * DIAL, answered: a link to the service for a request under a grant, after one more look at the
 * session; stored values are written here. Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/admission/upstream.h"
#include "broker/admission/word.h"
#include "wire/http_body.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The body that a route stores, if the client's is the same. */
static enum reason build_body(const struct question *question, const struct ipc_dial *dial,
                              struct buffer *body)
{
    const struct route_body *rule = question->steps.route->body;
    char digest[SHA256_HEX_SIZE];

    if (params_part_digest(question->params, rule->from, digest) != OK)
        return REASON_PARAMS_REQUIRED;
    if (dial->body_value == NULL || strcmp(dial->body_value, digest) != 0)
        return REASON_VALUE_MISMATCH;
    return upstream_stored_body(question->params, rule->member, rule->from, body);
}

/* The query as the route says it, with what it injects. */
static enum reason build_query(struct question *question, const struct ipc_dial *dial)
{
    if (question->steps.route->query_set)
        return admission_query(question->steps.route, dial->query, question->params,
                               &question->steps.query);
    if (dial->query != NULL)
        buffer_append_text(&question->steps.query, dial->query);
    return buffer_failed(&question->steps.query) ? REASON_QUERY_TOO_LONG : REASON_ALLOWED;
}

/* How the body that follows is framed: the stored one, or the client's. */
static void append_framing(const struct ipc_dial *dial, size_t stored_bytes, struct buffer *out)
{
    if (stored_bytes > 0)
        buffer_append_format(out, "Content-Length: %zu\r\n", stored_bytes);
    else if (dial->body == HTTP_BODY_LENGTH)
        buffer_append_format(out, "Content-Length: %" PRIu64 "\r\n", dial->body_bytes);
    else if (dial->body == HTTP_BODY_CHUNKED)
        buffer_append_text(out, "Transfer-Encoding: chunked\r\n");
}

/* The service's own token, which page code could only put into the query. */
static void append_bearer(const struct question *question, struct buffer *out)
{
    char token[ADMISSION_BEARER_SIZE];

    if (admission_query_bearer(question->steps.route, question->dial->query, token, sizeof(token)))
        buffer_append_format(out, "Authorization: Bearer %s\r\n", token);
}

static enum reason build_request(struct question *question, const struct ipc_dial *dial,
                                 struct buffer *out)
{
    const struct route *route = question->steps.route;
    enum reason reason = build_query(question, dial);
    char room[CONFIG_LOCALHOST_SIZE];
    struct buffer body;

    buffer_init(&body, 2 * PARAMS_BYTES_MAX);
    if (reason_allows(reason) && route->body != NULL)
        reason = build_body(question, dial, &body);
    buffer_append_format(out, "%s ", dial->method);
    buffer_append_text(out, dial->path);
    if (question->steps.query.length > 0)
        buffer_append_format(out, "?%s", question->steps.query.data);
    buffer_append_format(out, " HTTP/1.1\r\nHost: %s\r\n%s", question_host(question, room),
                         dial->fields);
    append_bearer(question, out);
    append_framing(dial, body.length, out);
    buffer_append_text(out, "\r\n");
    if (body.length > 0)
        buffer_append(out, body.data, body.length);
    buffer_wipe(&body);
    return reason_allows(reason) && buffer_failed(out) ? REASON_INTERNAL : reason;
}

/* What the broker knows of the connection; NULL: it has ended meanwhile. */
static struct connection_entry *entry_of(const struct question *question)
{
    return connections_find(&question->gate->connections, question->from,
                            question->dial->connection);
}

/* Whether a single-use session has had its request; the worker's word is not enough for that. */
static bool is_spent(const struct question *question)
{
    struct connection_entry *entry = entry_of(question);
    bool spoken = entry == NULL || entry->spoken;

    if (entry != NULL)
        entry->spoken = true;
    return spoken && question->session.once;
}

/* What the broker itself says on the link; nothing if the worker speaks for itself. */
static enum reason compose(struct question *question, const struct ipc_dial *dial,
                           struct buffer *out)
{
    enum reason reason = REASON_ALLOWED;

    if (dial->fields == NULL && !surface_runs_records(question->surface->config))
        return reason;
    reason = authenticate_record(question);
    if (reason_allows(reason))
        reason = authenticate_files(question, NULL, &question->steps.unknown);
    if (dial->fields == NULL)
        return reason;
    if (reason_allows(reason) && is_spent(question))
        reason = REASON_SESSION_USED;
    return reason_allows(reason) ? build_request(question, dial, out) : reason;
}

/* Only what a worker may not know is written for it, and only as it would have written it. */
static bool is_ours_to_write(const struct question *question)
{
    const struct ipc_dial *dial = question->dial;
    const struct route *route = question->steps.route;
    const struct admission_listener listener = {question->listener->host, question->listener->port};
    char room[CONFIG_LOCALHOST_SIZE];

    if (dial->fields == NULL)
        return true;
    return (route->body != NULL ? dial->body == HTTP_BODY_NONE : route->inject_count > 0) &&
           reason_allows(admission_host(question->surface->config, &listener, dial->host)) &&
           word_is_fields(route, question_host(question, room), dial->fields);
}

/* The grant may have ended since, and the route must be one that is dialled. */
static enum reason check(struct question *question)
{
    const struct connection_entry *entry = entry_of(question);
    enum reason reason;

    if (entry == NULL || entry->surface != question->surface ||
        store_session_get(question->gate->store, entry->session_id, &question->session) != OK)
        return REASON_SESSION_UNKNOWN;
    question->listener = entry->listener;
    question->caller_known = entry->caller_known;
    question->caller_uid = entry->caller_uid;
    memcpy(question->peer.text, entry->peer, sizeof(entry->peer));
    question_read_request(question);
    reason = authenticate_again(question);
    if (!reason_allows(reason))
        return reason;
    reason = admission_route(question->surface->config, question->request.path, false,
                             &question->steps.route);
    if (!reason_allows(reason))
        return reason;
    if (question->steps.route->kind == ROUTE_WEBSOCKET)
        return REASON_ROUTE_UNKNOWN;
    reason = admission_method(question->steps.route, question->steps.request);
    if (reason_allows(reason) && !is_ours_to_write(question))
        return REASON_WORKER_PROTOCOL;
    return reason;
}

/* ---- The head that the broker writes, while the link is waited for ---- */

static void let_go(void *work)
{
    buffer_wipe(work);
    free(work);
}

static void on_reached(struct question *question, int fd, void *work)
{
    const struct buffer *head = work;
    struct ipc_link link = {.connection = question->dial->connection,
                            .surface = question->dial->surface,
                            .reason = head->length > 0 ? upstream_write(fd, head) : REASON_ALLOWED};

    let_go(work);
    if (reason_allows(link.reason)) {
        workers_answer(question->gate->workers, question->from, IPC_LINK, &link, fd);
        return;
    }
    close(fd);
    question_refuse(question, link.reason);
}

static enum error answer(struct question *question);

/* Everything, once more. */
static void look_again(struct question *question)
{
    question_clear(question);
    question_disown(question);
    if (answer(question) != OK)
        question_refuse(question, REASON_WORKER_PROTOCOL);
}

/* The service hears of it only once nothing speaks against it. */
static enum error answer(struct question *question)
{
    struct buffer *head = malloc(sizeof(*head));
    enum reason reason = head != NULL ? check(question) : REASON_OUT_OF_MEMORY;

    if (head != NULL)
        buffer_init(head, UPSTREAM_HEAD_BYTES_MAX);
    if (reason_allows(reason))
        reason = compose(question, question->dial, head);
    if (reason_allows(reason)) {
        upstream_reach(question, (struct reach){on_reached, let_go, head});
        return OK;
    }
    if (head != NULL)
        let_go(head);
    if (reason == REASON_WORKER_PROTOCOL)
        return ERROR_SYNTAX;
    if (question->steps.unknown)
        files_wait(question, look_again);
    else
        question_refuse(question, reason);
    return OK;
}

/*
 * Only for a connection that was granted to this very worker, on this surface. Whose it is,
 * and who calls, is as the broker has it.
 */
enum error dial_take(struct gate *gate, struct incarnation from, struct surface_state *surface,
                     const void *message)
{
    struct question question = {.gate = gate, .from = from, .surface = surface, .dial = message};
    const struct connection_entry *entry = entry_of(&question);
    enum error error;

    if (entry == NULL || entry->surface != surface || !word_is_dial(question.dial))
        return ERROR_SYNTAX;
    steps_init(&question.steps);
    error = answer(&question);
    question_clear(&question);
    return error;
}
