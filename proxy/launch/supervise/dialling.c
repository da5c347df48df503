#include "launch/supervise/dialling.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct dialling {
    struct dialling *next, **at; /* of those with a socket */
    struct dialling_order order;
    int fd;
    unsigned open; /* handles that are not closed yet */
    uv_poll_t poll;
    uv_timer_t timer;
};

static void on_dialling_closed(uv_handle_t *handle)
{
    struct dialling *dialling = handle->data;

    if (--dialling->open == 0)
        free(dialling);
}

static void settle(struct dialling *dialling, int error)
{
    *dialling->at = dialling->next;
    if (dialling->next != NULL)
        dialling->next->at = dialling->at;
    uv_close((uv_handle_t *)&dialling->poll, on_dialling_closed);
    uv_close((uv_handle_t *)&dialling->timer, on_dialling_closed);
    if (error != 0)
        close(dialling->fd);
    dialling->order.done(dialling->order.data, error == 0 ? dialling->fd : -1, error);
}

static void on_connected(uv_poll_t *poll, int status, int events)
{
    struct dialling *dialling = poll->data;
    int error = 0;
    socklen_t length = sizeof(error);

    (void)status; /* of one that failed it knows no more than that */
    (void)events;
    if (getsockopt(dialling->fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        error = errno;
    settle(dialling, error);
}

/* The kernel goes on trying for minutes where as many wait as may. */
static void on_late(uv_timer_t *timer)
{
    settle(timer->data, EAGAIN);
}

/* It connects at once, unless more wait there than the service takes. */
static void on_dialed(void *data, int fd, int error)
{
    struct dialling *dialling = data;
    struct diallings *all = dialling->order.all;

    if (fd >= 0 && uv_poll_init(all->loop, &dialling->poll, fd) != 0) {
        close(fd);
        error = EMFILE;
        fd = -1;
    }
    if (fd < 0) {
        dialling->order.done(dialling->order.data, -1, error);
        free(dialling);
        return;
    }
    dialling->fd = fd;
    dialling->open = 2;
    dialling->at = &all->first;
    dialling->next = all->first;
    if (all->first != NULL)
        all->first->at = &dialling->next;
    all->first = dialling;
    uv_timer_init(all->loop, &dialling->timer);
    dialling->poll.data = dialling->timer.data = dialling;
    uv_timer_start(&dialling->timer, on_late, dialling->order.patience_ms, 0);
    uv_poll_start(&dialling->poll, UV_WRITABLE, on_connected);
}

static struct dialling *create(const struct dialling_order *order)
{
    struct dialling *dialling = calloc(1, sizeof(*dialling));

    if (dialling == NULL)
        return NULL;
    dialling->order = *order;
    dialling->fd = -1;
    return dialling;
}

uint32_t dialling_patience_ms(const struct surface *surface)
{
    return surface != NULL ? surface->limits.upstream_timeout_ms : DIALLING_PATIENCE_MAX_MS;
}

void dialling_finish(const struct dialling_order *order, int fd)
{
    struct dialling *dialling = create(order);

    if (dialling == NULL) {
        close(fd);
        order->done(order->data, -1, ENOMEM);
        return;
    }
    on_dialed(dialling, fd, 0);
}

void dialling_begin(const struct dialling_order *order, struct tree *tree, uint16_t port)
{
    struct dialling *dialling = create(order);
    enum error error;

    if (dialling == NULL) {
        order->done(order->data, -1, ENOMEM);
        return;
    }
    error = tree_dial(tree, port, on_dialed, dialling);
    if (error == OK)
        return;
    free(dialling);
    order->done(order->data, -1, error == ERROR_LIMIT ? EAGAIN : ECONNRESET);
}

void dialling_end_all(struct diallings *all)
{
    while (all->first != NULL)
        settle(all->first, ECONNRESET);
}
