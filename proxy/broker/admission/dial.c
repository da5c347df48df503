/*
 * DIAL, answered: a link to the service for a request under a grant, after one more look at the
 * session; stored values are written here. Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/admission/upstream.h"
#include "wire/url.h"

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
    return buffer_failed(&question->steps.query) ? REASON_QUERY_INVALID : REASON_ALLOWED;
}

/* Whether lines hold a head's end, after which they would be another request. */
static bool fields_plain(const char *fields)
{
    return strstr(fields, "\r\n\r\n") == NULL && strncmp(fields, "\r\n", 2) != 0;
}

static enum reason build_request(struct question *question, const struct ipc_dial *dial,
                                 struct buffer *out)
{
    enum reason reason = build_query(question, dial);
    struct buffer body;

    if (!fields_plain(dial->fields))
        return REASON_MALFORMED;
    buffer_init(&body, 2 * PARAMS_BYTES_MAX);
    if (reason_allows(reason) && question->steps.route->body != NULL)
        reason = build_body(question, dial, &body);
    buffer_append_format(out, "%s ", dial->method);
    url_encode(span_of(dial->path), true, out);
    if (question->steps.query.length > 0)
        buffer_append_format(out, "?%s", question->steps.query.data);
    buffer_append_format(out, " HTTP/1.1\r\nHost: %s\r\n%s",
                         config_route_host(question->steps.route, dial->host), dial->fields);
    if (question->steps.route->body != NULL)
        buffer_append_format(out, "Content-Length: %zu\r\n", body.length);
    buffer_append_text(out, "\r\n");
    if (body.length > 0)
        buffer_append(out, body.data, body.length);
    buffer_wipe(&body);
    return reason_allows(reason) && buffer_failed(out) ? REASON_INTERNAL : reason;
}

/* Whether a single-use session has had its request; the worker's word is not enough for that. */
static bool is_spent(const struct question *question, const struct ipc_dial *dial)
{
    const struct gate *gate = question->gate;

    return !connections_speak(
               &gate->connections,
               workers_connection_id(gate->workers, question->from, dial->connection)) &&
           question->session.once;
}

/* What the broker itself says on the link; nothing if the worker speaks for itself. */
static enum reason compose(struct question *question, const struct ipc_dial *dial,
                           struct buffer *out)
{
    enum reason reason = REASON_ALLOWED;

    if (dial->fields == NULL)
        return reason;
    if (is_spent(question, dial))
        return REASON_SESSION_USED;
    reason = authenticate_record(question);
    if (reason_allows(reason))
        reason = authenticate_files(question, NULL, &question->steps.unknown);
    return reason_allows(reason) ? build_request(question, dial, out) : reason;
}

/* The grant may have ended since, and the route must be one that is dialled. */
static enum reason check(struct question *question, const struct ipc_dial *dial)
{
    enum reason reason;

    if (store_session_get(question->gate->store, dial->session_id, &question->session) != OK)
        return REASON_SESSION_UNKNOWN;
    reason = authenticate_again(question);
    if (!reason_allows(reason))
        return reason;
    question->steps.route = admission_route(question->surface->config, dial->path, false);
    if (question->steps.route == NULL || question->steps.route->kind == ROUTE_WEBSOCKET)
        return REASON_ROUTE_UNKNOWN;
    return admission_method(question->steps.route, question->steps.request);
}

/* The service hears of it only once nothing speaks against it. */
static enum reason connect_link(struct question *question, const struct ipc_dial *dial, int *fd)
{
    enum reason reason = check(question, dial);
    struct buffer head;

    buffer_init(&head, UPSTREAM_HEAD_BYTES_MAX);
    if (reason_allows(reason))
        reason = compose(question, dial, &head);
    if (reason_allows(reason))
        reason = upstream_connect(question, fd);
    if (reason_allows(reason) && head.length > 0)
        reason = upstream_write(*fd, &head);
    if (!reason_allows(reason) && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    buffer_wipe(&head);
    return reason;
}

static void answer(struct question *question);

/* Everything, once more. */
static void look_again(struct question *question)
{
    question_clear(question);
    question_disown(question);
    answer(question);
}

static void answer(struct question *question)
{
    struct ipc_link link = {.connection = question->dial->connection,
                            .surface = question->dial->surface};
    int fd = -1;

    link.reason = connect_link(question, question->dial, &fd);
    if (reason_allows(link.reason))
        workers_answer(question->gate->workers, question->from, IPC_LINK, &link, fd);
    else if (question->steps.unknown)
        files_wait(question, look_again);
    else
        question_refuse(question, link.reason);
}

/* Only for a connection that was granted to this very worker and session. */
static bool is_granted(const struct gate *gate, struct incarnation from,
                       const struct surface_state *surface, const struct ipc_dial *dial)
{
    uint64_t id = workers_connection_id(gate->workers, from, dial->connection);
    const struct connection_entry *entry = connections_find(&gate->connections, id);

    return entry != NULL && entry->surface == surface &&
           strcmp(entry->session_id, dial->session_id) == 0;
}

enum error dial_take(struct gate *gate, struct incarnation from, struct surface_state *surface,
                     const void *message)
{
    const struct ipc_dial *dial = message;
    struct question question = {.gate = gate, .from = from, .surface = surface, .dial = dial};

    if (!is_granted(gate, from, surface, dial))
        return ERROR_SYNTAX;
    question_read_request(&question);
    steps_init(&question.steps);
    answer(&question);
    question_clear(&question);
    return OK;
}
