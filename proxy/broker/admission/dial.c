#include "broker/admission/dial.h"

#include "broker/admission/admit.h"
#include "broker/admission/upstream.h"
#include "broker/core/workers.h"
#include "policy/admission.h"
#include "wire/url.h"

#include <string.h>
#include <unistd.h>

#define HEAD_BYTES_MAX (512 * 1024)

/* The body that a route stores: {member: value}. */
static enum reason build_body(const struct admission *admission, const struct ipc_dial *dial,
                              struct buffer *body)
{
    const struct route_body *rule = admission->steps.route->body;
    char digest[SHA256_HEX_SIZE];

    if (params_part_digest(admission->params, rule->from, digest) != OK)
        return REASON_PARAMS_REQUIRED;
    if (dial->body_value == NULL || strcmp(dial->body_value, digest) != 0)
        return REASON_VALUE_MISMATCH;
    buffer_append_text(body, "{");
    buffer_append_json_string(body, rule->member, strlen(rule->member));
    buffer_append_text(body, ":");
    if (params_append_part(admission->params, rule->from, INJECT_JSON, body) != OK)
        return REASON_PARAMS_REQUIRED;
    buffer_append_text(body, "}");
    return buffer_failed(body) ? REASON_INTERNAL : REASON_ALLOWED;
}

/* The query as the route says it, with what it injects. */
static enum reason build_query(struct admission *admission, const struct ipc_dial *dial)
{
    if (admission->steps.route->query_set)
        return admission_query(admission->steps.route, dial->query, admission->params,
                               &admission->steps.query);
    if (dial->query != NULL)
        buffer_append_text(&admission->steps.query, dial->query);
    return buffer_failed(&admission->steps.query) ? REASON_QUERY_INVALID : REASON_ALLOWED;
}

/* Whether lines hold a head's end, after which they would be another request. */
static bool fields_plain(const char *fields)
{
    return strstr(fields, "\r\n\r\n") == NULL && strncmp(fields, "\r\n", 2) != 0;
}

static enum reason build_request(struct admission *admission, const struct ipc_dial *dial,
                                 struct buffer *out)
{
    enum reason reason = build_query(admission, dial);
    struct buffer body;

    if (!fields_plain(dial->fields))
        return REASON_MALFORMED;
    buffer_init(&body, 2 * PARAMS_BYTES_MAX);
    if (reason_allows(reason) && admission->steps.route->body != NULL)
        reason = build_body(admission, dial, &body);
    buffer_append_format(out, "%s ", dial->method);
    url_encode(span_of(dial->path), true, out);
    if (admission->steps.query.length > 0)
        buffer_append_format(out, "?%s", admission->steps.query.data);
    buffer_append_format(out, " HTTP/1.1\r\nHost: %s\r\n%s",
                         config_route_host(admission->steps.route, dial->host), dial->fields);
    if (admission->steps.route->body != NULL)
        buffer_append_format(out, "Content-Length: %zu\r\n", body.length);
    buffer_append_text(out, "\r\n");
    if (body.length > 0)
        buffer_append(out, body.data, body.length);
    buffer_wipe(&body);
    return reason_allows(reason) && buffer_failed(out) ? REASON_INTERNAL : reason;
}

/* What the broker itself says on the link; nothing if the worker speaks for itself. */
static enum reason compose(struct admission *admission, const struct ipc_dial *dial,
                           struct buffer *out)
{
    enum reason reason = REASON_ALLOWED;

    if (dial->fields == NULL)
        return reason;
    reason = admit_load_params(admission);
    return reason_allows(reason) ? build_request(admission, dial, out) : reason;
}

/* The grant may have ended since, and the route must be one that is dialled. */
static enum reason check(struct admission *admission, const struct ipc_dial *dial)
{
    struct request request = {.method = dial->method, .path = dial->path};
    enum reason reason;

    if (store_session_get(admission->broker->store, dial->session_id, &admission->session) != OK)
        return REASON_SESSION_UNKNOWN;
    admission->has_session = true;
    reason = admit_still_good(admission);
    if (!reason_allows(reason))
        return reason;
    admission->steps.route = admission_route(admission->surface->config, dial->path, false);
    if (admission->steps.route == NULL || admission->steps.route->kind == ROUTE_WEBSOCKET)
        return REASON_ROUTE_UNKNOWN;
    return admission_method(admission->steps.route, &request);
}

/* The service hears of it only once nothing speaks against it. */
static enum reason connect_link(struct admission *admission, const struct ipc_dial *dial, int *fd)
{
    enum reason reason = check(admission, dial);
    struct buffer head;

    buffer_init(&head, HEAD_BYTES_MAX);
    if (reason_allows(reason))
        reason = compose(admission, dial, &head);
    if (reason_allows(reason))
        reason = upstream_connect(admission->surface->config, fd);
    if (reason_allows(reason) && head.length > 0)
        reason = upstream_write(*fd, &head);
    if (!reason_allows(reason) && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    buffer_wipe(&head);
    return reason;
}

/* Only for a connection that was granted to this very worker and session. */
static bool is_granted(const struct broker *broker, unsigned worker, const struct ipc_dial *dial)
{
    const struct connection_entry *entry = connections_find(
        broker->connections, workers_connection_id(broker->workers, worker, dial->connection));

    return entry != NULL && entry->surface == &broker->surfaces[dial->surface] &&
           strcmp(entry->session_id, dial->session_id) == 0;
}

enum error dial_message(struct broker *broker, unsigned worker, const void *bytes, size_t length)
{
    struct ipc_dial dial;
    struct ipc_admit request = {0};
    struct admission admission = {.broker = broker, .worker = worker, .request = &request};
    struct ipc_link link;
    int fd = -1;

    if (ipc_decode_dial(bytes, length, &dial) != OK ||
        dial.surface >= broker->config->surface_count || !is_granted(broker, worker, &dial))
        return ERROR_SYNTAX;
    request.caller_known = dial.caller_known;
    request.caller_uid = dial.caller_uid;
    admission.surface = &broker->surfaces[dial.surface];
    steps_init(&admission.steps);
    link = (struct ipc_link){.connection = dial.connection, .surface = dial.surface};
    link.reason = connect_link(&admission, &dial, &fd);
    workers_send_link(broker->workers, worker, &link, fd);
    if (admission.has_session)
        session_clear(&admission.session);
    params_destroy(admission.params);
    steps_clear(&admission.steps);
    return OK;
}
