#include "worker/client/endpoint.h"

#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct endpoint *endpoint = poll->data;

    if (status < 0)
        endpoint->events = 0;
    endpoint->ready(endpoint, status, events);
}

enum error endpoint_open(struct endpoint *endpoint, uv_loop_t *loop, int fd)
{
    endpoint->fd = -1;
    endpoint->events = 0;
    endpoint->out = (struct outgoing){0};
    if (uv_poll_init(loop, &endpoint->poll, fd) != 0) {
        close(fd);
        return ERROR_IO;
    }
    endpoint->fd = fd;
    endpoint->poll.data = endpoint;
    return OK;
}

void endpoint_watch(struct endpoint *endpoint, int events)
{
    if (endpoint->fd < 0 || endpoint->events == events)
        return;
    endpoint->events = events;
    if (events != 0)
        uv_poll_start(&endpoint->poll, events, on_poll);
    else
        uv_poll_stop(&endpoint->poll);
}

ssize_t endpoint_receive(struct endpoint *endpoint, void *out, size_t room)
{
    return recv(endpoint->fd, out, room, 0);
}

bool endpoint_send(struct endpoint *endpoint, const struct iovec *parts, size_t count)
{
    return outgoing_send(&endpoint->out, endpoint->fd, uv_now(endpoint->poll.loop), parts, count);
}

bool endpoint_send_block(struct endpoint *endpoint, const struct iovec *head,
                         struct outgoing *block)
{
    return outgoing_send_block(&endpoint->out, endpoint->fd, uv_now(endpoint->poll.loop), head,
                               block);
}

bool endpoint_flush(struct endpoint *endpoint)
{
    return outgoing_flush(&endpoint->out, endpoint->fd, uv_now(endpoint->poll.loop));
}

void endpoint_finish(struct endpoint *endpoint)
{
    shutdown(endpoint->fd, SHUT_WR);
}

static void on_closed(uv_handle_t *handle)
{
    struct endpoint *endpoint = handle->data;

    endpoint->closed(endpoint);
}

void endpoint_close(struct endpoint *endpoint)
{
    outgoing_clear(&endpoint->out);
    uv_close((uv_handle_t *)&endpoint->poll, on_closed);
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    endpoint->fd = -1;
}

int endpoint_give_fd(struct endpoint *endpoint)
{
    int fd = endpoint->fd;

    uv_poll_stop(&endpoint->poll);
    endpoint->fd = -1;
    return fd;
}
