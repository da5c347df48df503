#include "broker/admission/link.h"

#include "broker/admission/waiting.h"
#include "broker/core/services.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct link {
    struct services_dial dial;
    struct services *services;
    struct waiting *waiting;
    struct reach reach;
    uv_timer_t timer;
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

static struct link *create(struct question *question, struct reach reach)
{
    struct gate *gate = question->gate;
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->services = gate->services;
    link->reach = reach;
    link->fd = -1;
    link->dial.dialed = on_dialed;
    uv_timer_init(&gate->loop, &link->timer);
    link->timer.data = link;
    link->waiting = waiting_keep_for_link(question, abandon, link);
    if (link->waiting != NULL)
        return link;
    link->reach.let_go = NULL;
    end(link);
    return NULL;
}

void link_wait(struct question *question, struct reach reach)
{
    struct surface_state *surface = question->surface;
    struct services *services = question->gate->services;
    struct link *link = create(question, reach);

    if (link == NULL) {
        question_refuse(question, waiting_refusal(question));
        if (reach.let_go != NULL)
            reach.let_go(reach.work);
        return;
    }
    uv_timer_start(&link->timer, on_late, surface->config->limits.upstream_timeout_ms, 0);
    services_dial(services, surface, &link->dial);
}
