#include "broker/core/launcher_line.h"

#include "base/log.h"
#include "ipc/channel.h"

#include <stdlib.h>
#include <unistd.h>

struct launcher_line {
    struct launcher_listener listener;
    struct channel *channel;
    uv_poll_t poll;
    unsigned char buffer[IPC_MESSAGE_BYTES_MAX];
};

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct launcher_line *line)
{
    uv_poll_start(&line->poll, UV_READABLE | (channel_wants_write(line->channel) ? UV_WRITABLE : 0),
                  on_event);
}

/* One message, if there is any. */
static enum error hear_one(struct launcher_line *line, bool *heard)
{
    struct errand errand;
    const void *bytes;
    size_t length;
    int fd;
    enum error error = channel_receive(line->channel, &bytes, &length, &fd);

    *heard = error == OK && length > 0;
    if (!*heard)
        return error;
    error = errand_decode(bytes, length, &errand);
    if (error == OK)
        return line->listener.take(line->listener.context, &errand, fd);
    if (fd >= 0)
        close(fd);
    return error;
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct launcher_line *line = poll->data;
    const struct launcher_listener listener = line->listener;
    bool heard = true;
    enum error error = status < 0 ? ERROR_IO : channel_flush(line->channel);

    (void)events;
    while (error == OK && heard)
        error = hear_one(line, &heard);
    if (error == OK) {
        watch(line);
        return;
    }
    if (error != ERROR_IO)
        log_error("the %s says what none of ours says; it is not heard any more", listener.whose);
    launcher_line_close(line);
    listener.lost(listener.context);
}

struct launcher_line *launcher_line_open(uv_loop_t *loop, int fd,
                                         const struct launcher_listener *listener)
{
    struct launcher_line *line = calloc(1, sizeof(*line));

    if (line == NULL || channel_create(fd, &line->channel) != OK) {
        close(fd);
        free(line);
        return NULL;
    }
    line->listener = *listener;
    line->poll.data = line;
    if (uv_poll_init(loop, &line->poll, fd) != 0) {
        launcher_line_destroy(line);
        return NULL;
    }
    watch(line);
    return line;
}

void launcher_line_destroy(struct launcher_line *line)
{
    if (line == NULL)
        return;
    channel_destroy(line->channel);
    free(line);
}

static void on_closed(uv_handle_t *handle)
{
    launcher_line_destroy(handle->data);
}

void launcher_line_close(struct launcher_line *line)
{
    uv_close((uv_handle_t *)&line->poll, on_closed);
}

void launcher_line_hand(struct launcher_line *line, const struct errand *errand, int fd)
{
    struct ipc_writer writer = {.bytes = line->buffer};

    errand_encode(&writer, errand);
    if (channel_send(line->channel, &writer, fd) == OK)
        watch(line);
}

void launcher_line_say(struct launcher_line *line, const struct errand *errand)
{
    launcher_line_hand(line, errand, -1);
}
