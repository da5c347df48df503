/* What is asked on the gate's own paths, done and answered. Called by admit.c. */
#include "broker/admission/waiting.h"

#include "broker/core/journal.h"
#include "policy/login_cookie.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX 1024

/* What the client is told; both buffers may hold a secret. */
struct reply {
    struct buffer answer, set_cookie;
};

static enum reason commit(const struct question *question, const char *event)
{
    return journal_commit_grant(question->gate, question_begin_line(question, event))
               ? REASON_ALLOWED
               : REASON_AUDIT_UNAVAILABLE;
}

static enum reason set_cookie(struct question *question, struct reply *reply)
{
    const struct session *session = &question->session;
    char value[LOGIN_COOKIE_VALUE_SIZE];

    if (login_cookie_make(store_cookie_key(question->gate->store), session->id, value) != OK)
        return REASON_INTERNAL;
    login_cookie_set(question->surface->config, value, session->expires_at - clock_now(),
                     &reply->set_cookie);
    secret_wipe(value, sizeof(value));
    return REASON_ALLOWED;
}

/* Whether there is a page to go to after a login. */
static bool has_first_page(const struct surface *surface)
{
    const struct route *route;

    return reason_allows(admission_route(surface, "/", false, &route)) && route->kind == ROUTE_HTTP;
}

static enum reason log_in(struct question *question, struct reply *reply)
{
    enum reason reason = set_cookie(question, reply);
    char expires[JOURNAL_TIME_SIZE];

    if (!reason_allows(reason))
        return reason;
    journal_time(question->session.expires_at, expires);
    buffer_append_format(&reply->answer, "{\"expires_at\":\"%s\",\"page\":%s}\n", expires,
                         has_first_page(question->surface->config) ? "true" : "false");
    return commit(question, "logged_in");
}

static enum reason give_ticket(struct question *question, struct reply *reply)
{
    int64_t now = clock_now();
    char ticket[TICKET_SIZE], expires[JOURNAL_TIME_SIZE];
    enum reason reason;

    reason = commit(question, "ticket_issued");
    if (reason_allows(reason) && tickets_issue(&question->gate->tickets, question->message->surface,
                                               question->session.id, now, ticket) != OK)
        reason = REASON_TICKETS_FULL;
    if (!reason_allows(reason))
        return reason;
    journal_time(now + TICKET_LIFETIME_S, expires);
    buffer_append_format(&reply->answer,
                         "{\"ticket\":\"%s\",\"subprotocol\":\"" ADMISSION_TICKET_PREFIX
                         "%s\",\"expires_at\":\"%s\"}\n",
                         ticket, ticket, expires);
    secret_wipe(ticket, sizeof(ticket));
    return REASON_ALLOWED;
}

static enum reason act(struct question *question, struct reply *reply)
{
    switch (question->steps.action) {
    case OWN_LOGIN:
        return log_in(question, reply);
    case OWN_TICKET:
        return give_ticket(question, reply);
    case OWN_LOGIN_PAGE:
    case OWN_LOGOUT_PAGE:
        return REASON_ALLOWED; /* the worker has them */
    case OWN_LOGOUT:           /* log_out() */
    case OWN_REFUSE:
        break;
    }
    return REASON_INTERNAL;
}

static void send_reply(const struct question *question, const struct reply *reply)
{
    struct ipc_verdict verdict = {
        .connection = question->message->connection,
        .surface = question->message->surface,
        .reason = REASON_ALLOWED,
        .offer = "",
        .answer = reply->answer.length > 0 ? reply->answer.data : "",
        .set_cookie = reply->set_cookie.length > 0 ? reply->set_cookie.data : NULL,
    };

    question_settle(question, &verdict, -1);
}

/* Answers with what one of these says. */
static void answer(struct question *question,
                   enum reason (*done)(struct question *question, struct reply *reply))
{
    struct reply reply;
    enum reason reason;

    buffer_init(&reply.answer, ANSWER_BYTES_MAX);
    buffer_init(&reply.set_cookie, ANSWER_BYTES_MAX);
    reason = done(question, &reply);
    if (reason_allows(reason) && (buffer_failed(&reply.answer) || buffer_failed(&reply.set_cookie)))
        reason = REASON_INTERNAL;
    if (reason_allows(reason))
        send_reply(question, &reply);
    else
        question_refuse(question, reason);
    buffer_wipe(&reply.answer);
    buffer_wipe(&reply.set_cookie);
}

/* ---- Logging out: in force at once, told when it is on the disk ---- */

struct leaving {
    struct waiting *waiting; /* NULL: its question is gone */
    enum error error;
};

static void abandon(void *work)
{
    struct leaving *leaving = work;

    leaving->waiting = NULL;
}

/* Taking away is done before it is written down: a full disk keeps nobody logged in. */
static enum reason say_goodbye(struct question *question, struct reply *reply)
{
    login_cookie_set(question->surface->config, "", 0, &reply->set_cookie);
    buffer_append_text(&reply->answer, "{\"revoked\":true}\n");
    return commit(question, "logged_out");
}

static void logged_out(struct question *question, void *work)
{
    const struct leaving *leaving = work;

    if (leaving->error == OK)
        answer(question, say_goodbye);
    else
        question_refuse(question, REASON_INTERNAL);
}

static void on_revoked(void *context, enum error error)
{
    struct leaving *leaving = context;

    leaving->error = error;
    if (leaving->waiting != NULL)
        waiting_finish(leaving->waiting, logged_out, leaving);
    free(leaving);
}

static void log_out(struct question *question)
{
    struct gate *gate = question->gate;
    struct leaving *leaving = calloc(1, sizeof(*leaving));
    char id[TOKEN_ID_SIZE];

    memcpy(id, question->session.id, sizeof(id));
    workers_cut_session(gate->workers, id, REASON_SESSION_REVOKED);
    if (leaving != NULL)
        leaving->waiting = waiting_keep(question, abandon, leaving);
    if (leaving == NULL || leaving->waiting == NULL) {
        free(leaving);
        store_session_revoke(gate->store, id, clock_now(), (struct store_reply){NULL, NULL});
        question_refuse(question, waiting_refusal(question));
        return;
    }
    store_session_revoke(gate->store, id, clock_now(), (struct store_reply){on_revoked, leaving});
}

void browser_answer(struct question *question)
{
    if (question->steps.action == OWN_LOGOUT)
        log_out(question);
    else
        answer(question, act);
}
