#include "broker/admission/admit.h"

#include "base/log.h"
#include "broker/admission/browser.h"
#include "broker/admission/dial.h"
#include "broker/admission/prepare.h"
#include "broker/admission/reports.h"
#include "broker/admission/upstream.h"
#include "broker/core/workers.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_BYTES_MAX (2 * STEPS_QUERY_BYTES_MAX)

void admit_begin_line(const struct admission *admission, const char *event)
{
    struct audit *audit = admission->broker->audit;
    const struct ipc_admit *request = admission->request;

    audit_begin(audit, event);
    audit_text(audit, "surface", admission->surface->config->name);
    audit_text(audit, "request_id", request->request_id);
    audit_text(audit, "method", request->method);
    audit_text(audit, "path", request->path);
    if (admission->claimed_session[0] != '\0')
        audit_text(audit, "session", admission->claimed_session);
    if (request->caller_known)
        audit_number(audit, "caller_uid", request->caller_uid);
}

static void send_denial(const struct admission *admission, enum reason reason)
{
    struct ipc_verdict verdict = {.connection = admission->request->connection,
                                  .surface = admission->request->surface,
                                  .reason = reason,
                                  .offer = ""};

    workers_send_verdict(admission->broker->workers, admission->worker, &verdict, -1);
}

static void log_refused(const struct admission *admission, enum reason reason)
{
    struct audit *audit = admission->broker->audit;

    admit_begin_line(admission, "denied");
    audit_reason(audit, reason);
    audit_text(audit, "host", admission->request->host);
    audit_text(audit, "origin", admission->request->origin);
    if (audit_commit(audit) != OK)
        log_error("the audit log cannot be written");
}

void admit_refuse(struct admission *admission, enum reason reason)
{
    if (reports_count_denial(admission->broker, admission->surface, reason))
        log_refused(admission, reason);
    send_denial(admission, reason);
}

static struct request request_of(const struct ipc_admit *admit)
{
    struct request request = {
        .method = admit->method,
        .path = admit->path,
        .query = admit->query,
        .host = admit->host,
        .origin = admit->origin,
        .authorization = admit->authorization,
        .subprotocols = admit->subprotocols,
        .cookie = admit->cookie,
        .fetch_site = admit->fetch_site,
        .certificate = admit->certificate,
        .login_code = admit->body,
        .secure = admit->secure,
        .upgrade = admit->upgrade,
        .caller_known = admit->caller_known,
        .caller_uid = admit->caller_uid,
    };

    return request;
}

/* Uses a single-use session up; on disk before anything is granted. */
static enum reason use_session(struct admission *admission)
{
    enum error error;

    if (!admission->session.once)
        return REASON_ALLOWED;
    error = store_session_use(admission->broker->store, admission->session.id, broker_now());
    if (error == ERROR_EXISTS)
        return REASON_SESSION_USED;
    return error == OK ? REASON_ALLOWED : REASON_INTERNAL;
}

static enum reason write_upgrade(const struct admission *admission, int fd,
                                 char accept[WS_ACCEPT_SIZE])
{
    struct buffer head;
    enum reason reason = REASON_INTERNAL;

    buffer_init(&head, HEAD_BYTES_MAX);
    if (upstream_upgrade_request(
            &(struct upstream_upgrade){
                .route = admission->steps.route,
                .request = admission->request,
                .path = admission->request->path,
                .query = admission->steps.query.length > 0 ? admission->steps.query.data : "",
                .offer = admission->steps.offer.length > 0 ? admission->steps.offer.data : ""},
            &head, accept) == OK)
        reason = upstream_write(fd, &head);
    buffer_wipe(&head);
    return reason;
}

/* The part of the record that a message's member must equal, as a digest. */
static void match_digest(const struct admission *admission, char out[IPC_DIGEST_SIZE])
{
    if (admission->params == NULL || admission->steps.route->match_from == NULL ||
        params_part_digest(admission->params, admission->steps.route->match_from, out) != OK)
        out[0] = '\0';
}

static void fill_list(struct ipc_list *list, bool set, const struct text_list *from)
{
    list->set = set;
    list->count = (uint32_t)from->count;
    for (size_t i = 0; i < from->count && i < IPC_LIST_MAX; i++)
        list->items[i] = from->items[i];
}

static bool log_admitted(struct admission *admission, const struct connection_entry *entry)
{
    struct audit *audit = admission->broker->audit;

    admit_begin_line(admission, "admitted");
    audit_number(audit, "connection", (int64_t)entry->id);
    audit_text(audit, "route", admission->steps.route->path);
    if (admission->session.params_name[0] != '\0') {
        audit_text(audit, "params", admission->session.params_name);
        audit_text(audit, "digest", admission->session.params_digest);
    }
    return audit_commit(audit) == OK;
}

static void close_link(int fd)
{
    if (fd >= 0)
        close(fd);
}

void admit_grant(struct admission *admission, int fd, const char *accept)
{
    struct broker *broker = admission->broker;
    const struct session *session = &admission->session;
    struct connection_entry entry = {
        .id = workers_connection_id(broker->workers, admission->worker,
                                    admission->request->connection),
        .worker = admission->worker,
        .surface = admission->surface,
        .caller_uid = admission->request->caller_uid,
        .caller_known = admission->request->caller_known,
        .since = broker_now(),
    };
    struct ipc_verdict verdict = {
        .connection = admission->request->connection,
        .surface = admission->request->surface,
        .reason = REASON_ALLOWED,
        .expires_at = session->expires_at,
        .route = (uint32_t)(admission->steps.route - admission->surface->config->routes),
        .offer = admission->steps.offer.length > 0 ? admission->steps.offer.data : "",
    };

    memcpy(entry.session_id, session->id, sizeof(entry.session_id));
    memcpy(verdict.session_id, session->id, sizeof(verdict.session_id));
    memcpy(verdict.accept, accept, strlen(accept) + 1);
    match_digest(admission, verdict.match_digest);
    fill_list(&verdict.verbs, session->verbs_set, &session->verbs);
    fill_list(&verdict.targets, session->targets_set, &session->targets);
    if (!log_admitted(admission, &entry)) {
        close_link(fd);
        admit_refuse(admission, REASON_AUDIT_UNAVAILABLE);
        return;
    }
    if (connections_add(broker->connections, &entry) != OK) {
        close_link(fd);
        admit_refuse(admission, REASON_CAPACITY);
        return;
    }
    admission->surface->admitted++;
    workers_send_verdict(broker->workers, admission->worker, &verdict, fd);
}

/* HTTP: the worker asks for links as it needs them. */
static void grant_http(struct admission *admission)
{
    enum reason reason = use_session(admission);

    if (reason_allows(reason))
        admit_grant(admission, -1, "");
    else
        admit_refuse(admission, reason);
}

/* Decided: now the service must be there. */
static void link_up(struct admission *admission)
{
    char accept[WS_ACCEPT_SIZE];
    enum reason reason;
    int fd;

    if (admission->steps.route->kind != ROUTE_WEBSOCKET) {
        grant_http(admission);
        return;
    }
    reason = upstream_connect(admission->surface->config, &fd);
    if (!reason_allows(reason)) {
        admit_refuse(admission, reason);
        return;
    }
    reason = use_session(admission);
    if (reason_allows(reason) && admission->steps.route->prepare != NULL) {
        prepare_start(admission, fd);
        return;
    }
    if (reason_allows(reason))
        reason = write_upgrade(admission, fd, accept);
    if (reason_allows(reason)) {
        admit_grant(admission, fd, accept);
        return;
    }
    close(fd);
    admit_refuse(admission, reason);
}

static void clear(struct admission *admission)
{
    if (admission->has_session)
        session_clear(&admission->session);
    params_destroy(admission->params);
    steps_clear(&admission->steps);
}

static enum error on_admit(struct broker *broker, unsigned worker, const void *bytes, size_t length)
{
    struct ipc_admit request;
    struct admission admission = {.broker = broker, .worker = worker, .request = &request};
    struct request asked;
    enum reason reason;

    if (ipc_decode_admit(bytes, length, &request) != OK ||
        request.surface >= broker->config->surface_count)
        return ERROR_SYNTAX;
    admission.surface = &broker->surfaces[request.surface];
    asked = request_of(&request);
    admission.steps = (struct steps){
        .surface = admission.surface->config,
        .listener = {request.listener_address, (uint16_t)request.listener_port},
        .request = &asked,
        .asks = &admit_asks,
        .context = &admission,
    };
    steps_init(&admission.steps);
    reason = steps_decide(&admission.steps, NULL);
    if (!reason_allows(reason))
        admit_refuse(&admission, reason);
    else if (admission.steps.own)
        browser_answer(&admission);
    else
        link_up(&admission);
    clear(&admission);
    return OK;
}

enum error admit_message(struct broker *broker, unsigned worker, enum ipc_type type,
                         const void *bytes, size_t length)
{
    if (type == IPC_ADMIT)
        return on_admit(broker, worker, bytes, length);
    if (type == IPC_DIAL)
        return dial_message(broker, worker, bytes, length);
    return reports_message(broker, worker, type, bytes, length);
}
