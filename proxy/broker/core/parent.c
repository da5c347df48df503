#include "broker/core/parent.h"

#include "ipc/channel.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

struct parent {
    struct parent_listener listener;
    struct channel *channel;
    uv_poll_t poll;
    bool gone, proven; /* it says once what it found out */
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX];
};

static void lose(struct parent *parent)
{
    if (parent->gone)
        return;
    parent->gone = true;
    uv_poll_stop(&parent->poll);
    parent->listener.gone(parent->listener.context);
}

static enum error take(struct parent *parent, const struct errand *errand, int fd)
{
    const struct parent_listener *listener = &parent->listener;

    switch (errand->kind) {
    case ERRAND_SPAWNED:
        listener->spawned(listener->context, errand->place, (pid_t)errand->number, fd);
        return OK;
    case ERRAND_ENDED:
        listener->ended(listener->context, errand->place, (int)errand->number);
        return OK;
    case ERRAND_STOP:
        listener->stop(listener->context);
        return OK;
    case ERRAND_LAUNCHER:
        if (fd < 0 || errand->number >= ERRAND_END_COUNT || errand->number == ERRAND_END_PARENT)
            return ERROR_SYNTAX;
        listener->launcher(listener->context, errand, fd);
        return OK;
    case ERRAND_HANGUP:
        listener->hangup(listener->context);
        return OK;
    case ERRAND_PROOF:
        if (parent->proven)
            return ERROR_SYNTAX;
        parent->proven = true;
        *listener->proof = (struct proof){.status = fd,
                                          .landlock = errand->place,
                                          .tried = errand->number >> 16,
                                          .refused = errand->number & UINT16_MAX};
        return OK;
    default:
        return ERROR_SYNTAX;
    }
}

/* One message; false if there is none. */
static bool hear(struct parent *parent)
{
    struct errand errand;
    const void *bytes;
    size_t length;
    int fd = -1;
    enum error error = channel_flush(parent->channel);

    if (error == OK)
        error = channel_receive(parent->channel, &bytes, &length, &fd);
    if (error == OK && length == 0)
        return false;
    if (error == OK)
        error = errand_decode(bytes, length, &errand);
    if (error == OK)
        error = take(parent, &errand, fd);
    if (error != OK)
        lose(parent);
    return error == OK;
}

static void watch(struct parent *parent);

static void on_channel(uv_poll_t *poll, int status, int events)
{
    struct parent *parent = poll->data;

    (void)events;
    if (status < 0) {
        lose(parent);
        return;
    }
    while (hear(parent))
        ;
    if (!parent->gone)
        watch(parent);
}

static void watch(struct parent *parent)
{
    uv_poll_start(&parent->poll,
                  UV_READABLE | (channel_wants_write(parent->channel) ? UV_WRITABLE : 0),
                  on_channel);
}

enum error parent_create(uv_loop_t *loop, int fd, const struct parent_listener *listener,
                         struct parent **out)
{
    struct parent *parent = calloc(1, sizeof(*parent));
    enum error error = parent != NULL ? channel_create(fd, &parent->channel) : ERROR_MEMORY;

    if (error == OK && uv_poll_init(loop, &parent->poll, fd) != 0) {
        channel_destroy(parent->channel);
        error = ERROR_IO;
    }
    if (error != OK) {
        free(parent);
        return error;
    }
    parent->listener = *listener;
    parent->poll.data = parent;
    watch(parent);
    *out = parent;
    return OK;
}

void parent_destroy(struct parent *parent)
{
    if (parent == NULL)
        return;
    channel_destroy(parent->channel);
    free(parent);
}

enum error parent_say(struct parent *parent, const struct errand *errand, int fd)
{
    struct ipc_writer writer = {.bytes = parent->buffer};
    enum error error;

    errand_encode(&writer, errand);
    error = channel_send(parent->channel, &writer, fd);
    if (error == OK && !parent->gone && !uv_is_closing((uv_handle_t *)&parent->poll))
        watch(parent);
    return error;
}

bool parent_wait(struct parent *parent)
{
    struct pollfd polled = {.fd = channel_fd(parent->channel), .events = POLLIN};

    if (channel_wants_write(parent->channel))
        polled.events = POLLIN | POLLOUT;
    if (!parent->gone && poll(&polled, 1, -1) == 1)
        hear(parent);
    return !parent->gone;
}
