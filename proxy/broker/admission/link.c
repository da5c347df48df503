#include "broker/admission/link.h"

#include "broker/admission/waiting.h"
#include "broker/core/services.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct link {
    struct services_dial dial;
    struct services *services;
    struct waiting *waiting;
    struct reach reach;
    uv_timer_t timer;
    char session[TOKEN_ID_SIZE]; /* of a stdio service; what it runs is dial.record */
    int fd;
    bool taken; /* the link is somebody else's */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* What it held is let go of, unless somebody has taken it. */
static void end(struct link *link)
{
    services_forget(link->services, &link->dial);
    if (link->dial.record >= 0)
        close(link->dial.record);
    if (!link->taken) {
        if (link->fd >= 0)
            close(link->fd);
        if (link->reach.let_go != NULL)
            link->reach.let_go(link->reach.work);
    }
    uv_close((uv_handle_t *)&link->timer, on_closed);
}

static void abandon(void *work)
{
    end(work);
}

static void resume(struct question *question, void *work)
{
    struct link *link = work;

    link->taken = true;
    link->reach.reached(question, link->fd, link->reach.work);
}

static void on_dialed(struct services_dial *dial, enum reason reason, int fd)
{
    struct link *link = (struct link *)((char *)dial - offsetof(struct link, dial));

    link->fd = fd;
    waiting_settle(link->waiting, reason, resume, link);
    end(link);
}

static void on_late(uv_timer_t *timer)
{
    struct link *link = timer->data;

    services_forget(link->services, &link->dial);
    on_dialed(&link->dial, services_late(link->dial.surface), -1);
}

/* The record for the launcher, which holds what it names against the configuration itself. */
static enum reason hand_out(const struct question *question, int *fd)
{
    struct buffer text;
    enum reason reason = REASON_INTERNAL;

    buffer_init(&text, 2 * PARAMS_BYTES_MAX);
    *fd = memfd_create("record", MFD_CLOEXEC);
    if (question->params == NULL)
        reason = REASON_PARAMS_REQUIRED;
    else if (*fd >= 0 && params_append_part(question->params, NULL, INJECT_JSON, &text) == OK &&
             write(*fd, text.data, text.length) == (ssize_t)text.length)
        reason = REASON_ALLOWED;
    buffer_wipe(&text);
    return reason;
}

static void set_session(struct link *link, const struct question *question, int record)
{
    snprintf(link->session, sizeof(link->session), "%s", question->session.id);
    link->dial.session = link->session;
    link->dial.expires_at = question->session.expires_at;
    link->dial.record = record;
}

static struct link *create(struct question *question, struct reach reach, int record)
{
    struct gate *gate = question->gate;
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->services = gate->services;
    link->reach = reach;
    link->fd = -1;
    link->dial.dialed = on_dialed;
    set_session(link, question, record);
    uv_timer_init(&gate->loop, &link->timer);
    link->timer.data = link;
    link->waiting = waiting_keep_for_link(question, abandon, link);
    if (link->waiting != NULL)
        return link;
    link->reach.let_go = NULL;
    link->dial.record = -1; /* the caller's */
    end(link);
    return NULL;
}

void link_wait(struct question *question, struct reach reach)
{
    struct surface_state *surface = question->surface;
    struct services *services = question->gate->services;
    struct link *link = NULL;
    enum reason reason = REASON_ALLOWED;
    int record = -1;

    if (surface_runs_records(surface->config))
        reason = hand_out(question, &record);
    if (reason_allows(reason))
        link = create(question, reach, record);
    if (link == NULL) {
        if (record >= 0)
            close(record);
        question_refuse(question, reason_allows(reason) ? waiting_refusal(question) : reason);
        if (reach.let_go != NULL)
            reach.let_go(reach.work);
        return;
    }
    uv_timer_start(&link->timer, on_late, surface->config->limits.upstream_timeout_ms, 0);
    services_dial(services, surface, &link->dial);
}
