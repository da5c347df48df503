#include "broker/admission/question.h"

#include "base/log.h"
#include "broker/core/journal.h"
#include "broker/core/spawn.h"
#include "wire/url.h"

#include <string.h>
#include <unistd.h>

#define TELL_INTERVAL_S 60

void question_read_request(struct question *question)
{
    const struct ipc_admit *admit = question->message;
    const struct ipc_dial *dial = question->dial;

    if (admit != NULL)
        question->request = admit->request;
    else
        question->request = (struct request){.method = dial->method,
                                             .raw_path = dial->path,
                                             .query = dial->query,
                                             .host = dial->host};
    question->request.path = reason_allows(url_path_decode(span_of(question->request.raw_path),
                                                           question->path, sizeof(question->path)))
                                 ? question->path
                                 : NULL;
    question->request.secure = question->surface->config->tls != NULL;
    question->request.caller_known = question->caller_known;
    question->request.caller_uid = question->caller_uid;
    question->request.caller_gids = NULL;
    question->request.peer = question->peer.known ? question->peer.address : NULL;
    question->request.caller_program = question->program[0] != '\0' ? question->program : NULL;
    question->request.caller_program_looked = question->program_looked;
    question->steps.request = &question->request;
    question->steps.context = question;
}

const char *question_host(const struct question *question, char room[CONFIG_LOCALHOST_SIZE])
{
    return config_route_host(question->steps.route, question->request.host,
                             question->listener->port, room);
}

void question_disown(struct question *question)
{
    question->session = (struct session){0};
    question->params = NULL;
    steps_init(&question->steps);
}

void question_clear(struct question *question)
{
    session_clear(&question->session);
    params_destroy(question->params);
    steps_clear(&question->steps);
}

/* Whose lines they are: of a session only once its credential is good. */
static struct lines_client client_of(const struct question *question)
{
    return lines_client(question->session.id, question->request.caller_known,
                        question->request.caller_uid);
}

static struct audit *describe(const struct question *question, struct audit *audit)
{
    audit_text(audit, "surface", question->surface->config->name);
    audit_text(audit, "request_id", question->message->request_id);
    audit_text(audit, "method", question->request.method);
    audit_text(audit, "path", question->request.path);
    if (question->claimed_session[0] != '\0')
        audit_text(audit, "session", question->claimed_session);
    if (question->peer.text[0] != '\0')
        audit_text(audit, "peer", question->peer.text);
    if (question->request.caller_known)
        audit_number(audit, "caller_uid", question->request.caller_uid);
    if (question->caller_in_group)
        audit_number(audit, "caller_gid", question->caller_gid);
    if (question->program[0] != '\0')
        audit_text(audit, "caller_executable_hint", question->program);
    return audit;
}

struct audit *question_begin_line(const struct question *question, const char *event)
{
    return describe(question, journal_begin(question->gate, event, client_of(question)));
}

void question_settle(const struct question *question, const struct ipc_verdict *verdict, int fd)
{
    histogram_note(&question->surface->admission_time, uv_hrtime() - question->asked_ns);
    workers_answer(question->gate->workers, question->from, IPC_VERDICT, verdict, fd);
}

static void refuse_link(const struct question *question, enum reason reason)
{
    workers_answer(question->gate->workers, question->from, IPC_LINK,
                   &(struct ipc_link){.connection = question->dial->connection,
                                      .surface = question->dial->surface,
                                      .reason = reason},
                   -1);
}

/* Its listener may have a name of which the gate knows nothing, a published port another number. */
static void tell_host(const struct question *question)
{
    struct surface_state *surface = question->surface;
    int64_t now = clock_now();

    if (question->request.host == NULL || now < surface->host_told_at + TELL_INTERVAL_S)
        return;
    surface->host_told_at = now;
    log_warning(
        "surface %s: a client asked for the host \"%.255s\", which is none of its names: if it "
        "is one of yours, add it to \"hosts\"",
        surface->config->name, question->request.host);
}

static void refuse_request(const struct question *question, enum reason reason)
{
    struct gate *gate = question->gate;
    struct ipc_verdict verdict = {.connection = question->message->connection,
                                  .surface = question->message->surface,
                                  .reason = reason,
                                  .offer = ""};

    struct audit *audit = describe(
        question, journal_begin_denial(gate, question->surface, reason, client_of(question)));

    audit_reason(audit, reason);
    if (reason_same(reason, REASON_QUERY_INVALID))
        audit_text(audit, "seen",
                   admission_query_refused(question->steps.route, question->request.query));
    audit_text(audit, "host", question->request.host);
    audit_text(audit, "origin", question->request.origin);
    journal_upstream(question->surface, reason, audit);
    journal_commit(audit);
    if (reason_same(reason, REASON_HOST_MISMATCH))
        tell_host(question);
    question_settle(question, &verdict, -1);
}

void question_refuse(struct question *question, enum reason reason)
{
    if (question->dial != NULL)
        refuse_link(question, reason);
    else
        refuse_request(question, reason);
}

/* The part of the record that a message's member must equal, as a digest. */
static void match_digest(const struct question *question, char out[IPC_DIGEST_SIZE])
{
    const char *from = question->steps.route->match_from;

    if (question->params == NULL || from == NULL ||
        params_part_digest(question->params, from, out) != OK)
        out[0] = '\0';
}

static void fill_list(struct ipc_list *list, bool set, const struct text_list *from)
{
    list->set = set;
    list->count = (uint32_t)from->count;
    for (size_t i = 0; i < from->count && i < IPC_LIST_MAX; i++)
        list->items[i] = from->items[i];
}

static bool log_admitted(struct question *question, const struct connection_entry *entry)
{
    struct audit *audit = question_begin_line(question, "admitted");

    audit_number(audit, "connection", (int64_t)entry->id);
    audit_text(audit, "route", question->steps.route->path);
    if (question->session.params_name[0] != '\0') {
        audit_text(audit, "params", question->session.params_name);
        audit_text(audit, "digest", question->session.params_digest);
    }
    return journal_commit_grant(question->gate, audit);
}

/* On record before the worker hears of it: among the live connections, and in the log. */
static enum reason record_grant(struct question *question)
{
    struct connections *connections = &question->gate->connections;
    struct connection_entry entry = {
        .worker = question->from,
        .connection = question->message->connection,
        .surface = question->surface,
        .listener = question->listener,
        .caller_known = question->caller_known,
        .caller_uid = question->caller_uid,
    };

    memcpy(entry.session_id, question->session.id, sizeof(entry.session_id));
    memcpy(entry.peer, question->peer.text, sizeof(entry.peer));
    if (connections_add(connections, &entry) != OK)
        return REASON_CAPACITY;
    if (log_admitted(question, &entry))
        return REASON_ALLOWED;
    connections_remove(connections, connections_find(connections, entry.worker, entry.connection));
    return REASON_AUDIT_UNAVAILABLE;
}

/* Whether another worker could have taken it that holds fewer. */
static bool is_crowded(const struct question *question)
{
    const struct gate *gate = question->gate;
    unsigned count = gate->surfaces.config->workers;
    uint32_t surface = surfaces_index(&gate->surfaces, question->surface);
    size_t own = gate->connections.held[question->from.worker];

    for (unsigned i = 0; i < count; i++) {
        if (gate->connections.held[i] < own && spawn_serves(&gate->surfaces, i, surface))
            return true;
    }
    return false;
}

void question_grant(struct question *question, int fd, const char *accept)
{
    const struct session *session = &question->session;
    const struct steps *steps = &question->steps;
    struct ipc_verdict verdict = {
        .connection = question->message->connection,
        .surface = question->message->surface,
        .reason = record_grant(question),
        .expires_at = session->expires_at,
        .once = session->once,
        .route = (uint32_t)(steps->route - question->surface->config->routes),
        .offer = steps->offer.length > 0 ? steps->offer.data : "",
    };

    if (!reason_allows(verdict.reason)) {
        if (fd >= 0)
            close(fd);
        question_refuse(question, verdict.reason);
        return;
    }
    memcpy(verdict.session_id, session->id, sizeof(verdict.session_id));
    memcpy(verdict.accept, accept, strlen(accept) + 1);
    match_digest(question, verdict.match_digest);
    fill_list(&verdict.verbs, session->verbs_set, &session->verbs);
    fill_list(&verdict.targets, session->targets_set, &session->targets);
    verdict.crowded = is_crowded(question);
    question->surface->admitted++;
    question_settle(question, &verdict, fd);
}
