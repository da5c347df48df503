/*
 * ADMIT, answered: the request as policy sees it is run through the table of steps
 * (policy/steps.h), and what follows from a yes is done. Called by inbox.c.
 */
#include "broker/admission/takers.h"

#include "broker/admission/upstream.h"
#include "broker/admission/waiting.h"
#include "broker/admission/word.h"
#include "broker/core/journal.h"
#include "system/caller.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- A single-use session is used up, on the disk, before anything is granted ---- */

struct spending {
    struct waiting *waiting; /* NULL: its question is gone */
    int fd;                  /* the link that waits with it; -1: none */
    bool settled;
};

static void go_on(struct question *question, int fd);

static void drop_link(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* The change itself cannot be stopped: on_used() finds nothing to settle. */
static void abandon(void *work)
{
    struct spending *spending = work;

    drop_link(spending->fd);
    spending->waiting = NULL;
}

static void resume(struct question *question, void *work)
{
    struct spending *spending = work;

    spending->settled = true;
    go_on(question, spending->fd);
}

static void on_used(void *context, enum error error)
{
    struct spending *spending = context;
    enum reason reason = error == OK             ? REASON_ALLOWED
                         : error == ERROR_EXISTS ? REASON_SESSION_USED
                                                 : REASON_INTERNAL;

    if (spending->waiting != NULL) {
        waiting_settle(spending->waiting, reason, resume, spending);
        if (!spending->settled)
            drop_link(spending->fd);
    }
    free(spending);
}

static struct spending *keep(struct question *question, int fd)
{
    struct spending *spending = malloc(sizeof(*spending));

    if (spending == NULL)
        return NULL;
    *spending = (struct spending){.fd = fd};
    spending->waiting = waiting_keep(question, abandon, spending);
    if (spending->waiting != NULL)
        return spending;
    free(spending);
    return NULL;
}

/* Takes over `fd`. */
static void use_up(struct question *question, int fd)
{
    struct gate *gate = question->gate;
    struct spending *spending = keep(question, fd);

    if (spending == NULL) {
        drop_link(fd);
        question_refuse(question, waiting_refusal(question));
        return;
    }
    store_session_use(gate->store, waiting_question(spending->waiting)->session.id, clock_now(),
                      (struct store_reply){on_used, spending});
}

/* ---- Granted ---- */

static void open_upgrade(struct question *question, int fd)
{
    char accept[WS_ACCEPT_SIZE];
    enum reason reason = upstream_write_upgrade(question, question->request.raw_path, fd, accept);

    if (reason_allows(reason)) {
        question_grant(question, fd, accept);
        return;
    }
    close(fd);
    question_refuse(question, reason);
}

/* HTTP has no link: the worker asks for links as it needs them. */
static void go_on(struct question *question, int fd)
{
    if (fd < 0)
        question_grant(question, -1, "");
    else if (question->steps.route->prepare != NULL)
        prepare_start(question, fd);
    else
        open_upgrade(question, fd);
}

static void spend_or_go_on(struct question *question, int fd)
{
    if (question->session.once)
        use_up(question, fd);
    else
        go_on(question, fd);
}

static void on_reached(struct question *question, int fd, void *work)
{
    (void)work;
    spend_or_go_on(question, fd);
}

/* The service must be there, before anything is used up. */
static void grant(struct question *question)
{
    if (question->steps.route->kind == ROUTE_WEBSOCKET)
        upstream_reach(question, (struct reach){.reached = on_reached});
    else
        spend_or_go_on(question, -1);
}

static void allow(struct question *question)
{
    if (question->steps.own)
        browser_answer(question);
    else
        grant(question);
}

/* What a digest was waited for. */
static void look_again(struct question *question)
{
    bool unknown;
    enum reason reason = authenticate_files(question, NULL, &unknown);

    if (reason_allows(reason))
        allow(question);
    else if (unknown)
        files_wait(question, look_again);
    else
        question_refuse(question, reason);
}

static void judge_again(struct question *question);

static void answer(struct question *question)
{
    enum step_id step;
    enum reason reason = steps_decide(&question->steps, &step);

    if (reason_allows(reason))
        allow(question);
    else if (step == STEP_EXECUTABLES && question->steps.unknown)
        files_wait(question, look_again);
    else if (step == STEP_CALLER && question->groups_awaited &&
             reason_same(reason, REASON_CALLER_GROUPS))
        callers_wait(question, judge_again);
    else if (step == STEP_CALLER && question->steps.unknown)
        program_wait(question, judge_again);
    else
        question_refuse(question, reason);
}

static void judge(struct question *question)
{
    const struct surface_state *surface = question->surface;

    question->steps = (struct steps){
        .surface = surface->config,
        .listener = {question->listener->host, question->listener->port},
        .kill_switch = surface->leaving      ? SWITCH_CHANGED
                       : surface->killed     ? SWITCH_ON
                       : surface->rehearsing ? SWITCH_REHEARSED
                                             : SWITCH_OFF,
        .asks = &authenticate_asks,
        .notes_program = surface->config->note_executable && question->caller_known,
    };
    question_read_request(question);
    callers_look(question);
    steps_init(&question->steps);
    answer(question);
}

static void judge_again(struct question *question)
{
    question_clear(question);
    question_disown(question);
    judge(question);
}

/* Who is at the other end of the client's socket, and where it came in: the kernel knows. */
static enum error look_at_client(struct question *question)
{
    int client = question->message->client;

    question->listener = surfaces_accepted(question->surface, client);
    if (question->listener == NULL)
        return ERROR_SYNTAX;
    peer_find(client, &question->peer);
    question->caller_known = caller_socket(question->gate->callers, client, &question->caller_uid,
                                           &question->caller_inode) == OK;
    return OK;
}

/* A connection is asked for once: it is neither granted yet nor waited for. */
static bool is_new(const struct question *question)
{
    uint64_t connection = question->message->connection;

    return connection != 0 && !waiting_for(question->gate, question->from, connection) &&
           connections_find(&question->gate->connections, question->from, connection) == NULL;
}

enum error admit_take(struct gate *gate, struct incarnation from, struct surface_state *surface,
                      const void *message)
{
    struct question question = {.gate = gate,
                                .from = from,
                                .surface = surface,
                                .asked_ns = uv_hrtime(),
                                .message = message};

    if (!is_new(&question) || !word_is_request(question.message) || look_at_client(&question) != OK)
        return ERROR_SYNTAX;
    judge(&question);
    question_clear(&question);
    return OK;
}
