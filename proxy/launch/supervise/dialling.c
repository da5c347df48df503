#include "launch/supervise/dialling.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct dialling {
    dial_done *done;
    void *data;
    uv_poll_t poll;
    int fd;
};

static void on_dialling_closed(uv_handle_t *handle)
{
    free(handle->data);
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
    uv_close((uv_handle_t *)&dialling->poll, on_dialling_closed);
    if (error != 0)
        close(dialling->fd);
    dialling->done(dialling->data, error == 0 ? dialling->fd : -1, error);
}

/* It connects at once, unless more wait there than the service takes. */
static void on_dialed(void *data, int fd, int error)
{
    struct dialling *dialling = data;
    uv_loop_t *loop = dialling->poll.loop;

    if (fd >= 0 && uv_poll_init(loop, &dialling->poll, fd) != 0) {
        close(fd);
        error = EMFILE;
        fd = -1;
    }
    if (fd < 0) {
        dialling->done(dialling->data, -1, error);
        free(dialling);
        return;
    }
    dialling->fd = fd;
    dialling->poll.data = dialling;
    uv_poll_start(&dialling->poll, UV_WRITABLE, on_connected);
}

void dialling_finish(uv_loop_t *loop, int fd, dial_done *done, void *data)
{
    struct dialling *dialling = malloc(sizeof(*dialling));

    if (dialling == NULL) {
        close(fd);
        done(data, -1, ENOMEM);
        return;
    }
    *dialling = (struct dialling){.done = done, .data = data, .fd = -1};
    dialling->poll.loop = loop;
    on_dialed(dialling, fd, 0);
}

void dialling_begin(uv_loop_t *loop, struct tree *tree, uint16_t port, dial_done *done, void *data)
{
    struct dialling *dialling = malloc(sizeof(*dialling));
    enum error error;

    if (dialling == NULL) {
        done(data, -1, ENOMEM);
        return;
    }
    *dialling = (struct dialling){.done = done, .data = data, .fd = -1};
    dialling->poll.loop = loop;
    error = tree_dial(tree, port, on_dialed, dialling);
    if (error == OK)
        return;
    free(dialling);
    done(data, -1, error == ERROR_LIMIT ? EAGAIN : ECONNRESET);
}
