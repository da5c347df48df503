/*
 * ADMIT, answered: the request as policy sees it is run through the table of steps
 * (policy/steps.h), and what follows from a yes is done. Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/admission/upstream.h"
#include "broker/core/journal.h"

#include <unistd.h>

/* Uses a single-use session up; on disk before anything is granted. */
static enum reason use_session(const struct question *question)
{
    enum error error;

    if (!question->session.once)
        return REASON_ALLOWED;
    error = store_session_use(question->gate->store, question->session.id, clock_now());
    if (error == ERROR_EXISTS)
        return REASON_SESSION_USED;
    return error == OK ? REASON_ALLOWED : REASON_INTERNAL;
}

/* HTTP: the worker asks for links as it needs them. */
static void grant_http(struct question *question)
{
    enum reason reason = use_session(question);

    if (reason_allows(reason))
        question_grant(question, -1, "");
    else
        question_refuse(question, reason);
}

/* The service must be there, before anything is used up. */
static void grant_link(struct question *question)
{
    char accept[WS_ACCEPT_SIZE];
    int fd = -1;
    enum reason reason = upstream_connect(question, &fd);

    if (reason_allows(reason))
        reason = use_session(question);
    if (reason_allows(reason) && question->steps.route->prepare != NULL) {
        prepare_start(question, fd);
        return;
    }
    if (reason_allows(reason))
        reason = upstream_write_upgrade(question, question->request.path, fd, accept);
    if (reason_allows(reason)) {
        question_grant(question, fd, accept);
        return;
    }
    if (fd >= 0)
        close(fd);
    question_refuse(question, reason);
}

static void answer(struct question *question)
{
    enum reason reason = steps_decide(&question->steps, NULL);

    if (!reason_allows(reason))
        question_refuse(question, reason);
    else if (question->steps.own)
        browser_answer(question);
    else if (question->steps.route->kind == ROUTE_WEBSOCKET)
        grant_link(question);
    else
        grant_http(question);
}

enum error admit_take(struct gate *gate, struct incarnation from, struct surface_state *surface,
                      const void *message)
{
    const struct ipc_admit *admit = message;
    struct question question = {.gate = gate, .from = from, .surface = surface, .message = admit};

    question.steps = (struct steps){
        .surface = surface->config,
        .listener = {admit->listener_address, (uint16_t)admit->listener_port},
        .kill_switch = surface->killed ? SWITCH_ON : SWITCH_OFF,
        .asks = &authenticate_asks,
    };
    question_read_request(&question);
    steps_init(&question.steps);
    answer(&question);
    question_clear(&question);
    return OK;
}
