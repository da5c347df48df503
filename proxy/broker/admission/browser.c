#include "broker/admission/browser.h"

#include "base/log.h"
#include "broker/control/json.h"
#include "broker/core/workers.h"
#include "policy/login_cookie.h"
#include "policy/own_path.h"

#define ANSWER_BYTES_MAX 1024

/* What the client is told; both buffers may hold a secret. */
struct reply {
    struct buffer answer, set_cookie;
};

static enum reason commit(const struct admission *admission)
{
    return audit_commit(admission->broker->audit) == OK ? REASON_ALLOWED : REASON_AUDIT_UNAVAILABLE;
}

static enum reason set_cookie(struct admission *admission, struct reply *reply)
{
    const struct session *session = &admission->session;
    char value[LOGIN_COOKIE_VALUE_SIZE];

    if (login_cookie_make(store_cookie_key(admission->broker->store), session->id, value) != OK)
        return REASON_INTERNAL;
    login_cookie_set(admission->surface->config, value, session->expires_at - broker_now(),
                     &reply->set_cookie);
    secret_wipe(value, sizeof(value));
    return REASON_ALLOWED;
}

/* Whether there is a page to go to after a login. */
static bool has_first_page(const struct surface *surface)
{
    const struct route *route = admission_route(surface, "/", false);

    return route != NULL && route->kind == ROUTE_HTTP;
}

static enum reason log_in(struct admission *admission, struct reply *reply)
{
    enum reason reason = set_cookie(admission, reply);
    char expires[CONTROL_TIME_SIZE];

    if (!reason_allows(reason))
        return reason;
    control_json_time(admission->session.expires_at, expires);
    buffer_append_format(&reply->answer, "{\"expires_at\":\"%s\",\"page\":%s}\n", expires,
                         has_first_page(admission->surface->config) ? "true" : "false");
    admit_begin_line(admission, "logged_in");
    return commit(admission);
}

static enum reason give_ticket(struct admission *admission, struct reply *reply)
{
    int64_t now = broker_now();
    char ticket[TICKET_SIZE], expires[CONTROL_TIME_SIZE];
    enum reason reason;

    admit_begin_line(admission, "ticket_issued");
    reason = commit(admission);
    if (reason_allows(reason) &&
        tickets_issue(admission->broker->tickets, admission->session.id, now, ticket) != OK)
        reason = REASON_CAPACITY;
    if (!reason_allows(reason))
        return reason;
    control_json_time(now + TICKET_LIFETIME_S, expires);
    buffer_append_format(&reply->answer,
                         "{\"ticket\":\"%s\",\"subprotocol\":\"" ADMISSION_TICKET_PREFIX
                         "%s\",\"expires_at\":\"%s\"}\n",
                         ticket, ticket, expires);
    secret_wipe(ticket, sizeof(ticket));
    return REASON_ALLOWED;
}

/* Taking away is done before it is written down: a full disk keeps nobody logged in. */
static enum reason log_out(struct admission *admission, struct reply *reply)
{
    struct broker *broker = admission->broker;
    enum error error = store_session_revoke(broker->store, admission->session.id, broker_now());

    workers_cut_session(broker->workers, admission->session.id, REASON_SESSION_REVOKED);
    if (error != OK)
        return REASON_INTERNAL;
    login_cookie_set(admission->surface->config, "", 0, &reply->set_cookie);
    buffer_append_text(&reply->answer, "{\"revoked\":true}\n");
    admit_begin_line(admission, "logged_out");
    return commit(admission);
}

static enum reason act(struct admission *admission, struct reply *reply)
{
    switch (admission->steps.action) {
    case OWN_LOGIN:
        return log_in(admission, reply);
    case OWN_TICKET:
        return give_ticket(admission, reply);
    case OWN_LOGOUT:
        return log_out(admission, reply);
    case OWN_LOGIN_PAGE:
    case OWN_LOGOUT_PAGE:
        return REASON_ALLOWED; /* the worker has them */
    case OWN_REFUSE:
        break;
    }
    return REASON_INTERNAL;
}

static void send_reply(const struct admission *admission, const struct reply *reply)
{
    struct ipc_verdict verdict = {
        .connection = admission->request->connection,
        .surface = admission->request->surface,
        .reason = REASON_ALLOWED,
        .offer = "",
        .answer = reply->answer.length > 0 ? reply->answer.data : "",
        .set_cookie = reply->set_cookie.length > 0 ? reply->set_cookie.data : NULL,
    };

    workers_send_verdict(admission->broker->workers, admission->worker, &verdict, -1);
}

void browser_answer(struct admission *admission)
{
    struct reply reply;
    enum reason reason;

    buffer_init(&reply.answer, ANSWER_BYTES_MAX);
    buffer_init(&reply.set_cookie, ANSWER_BYTES_MAX);
    reason = act(admission, &reply);
    if (reason_allows(reason) && (buffer_failed(&reply.answer) || buffer_failed(&reply.set_cookie)))
        reason = REASON_INTERNAL;
    if (reason_allows(reason))
        send_reply(admission, &reply);
    else
        admit_refuse(admission, reason);
    buffer_wipe(&reply.answer);
    buffer_wipe(&reply.set_cookie);
}
