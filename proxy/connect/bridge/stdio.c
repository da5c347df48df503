#include "connect/bridge/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define READ_BYTES 65536
#define OUTPUT_MAX (256U * 1024 * 1024)

static void watch(struct stdio *stdio);

/* Gives what was read to the user, line by line. */
static void take(struct stdio *stdio, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t taken;
        struct span line;
        enum lines_progress progress = lines_next(&stdio->lines, bytes, length, &taken, &line);

        if (progress == LINES_LINE)
            stdio->user.line(stdio->user.context, line);
        else if (progress == LINES_TOO_LONG)
            stdio->user.too_long(stdio->user.context);
        bytes += taken;
        length -= taken;
    }
}

static void read_input(struct stdio *stdio)
{
    char bytes[READ_BYTES];
    ssize_t length = read(stdio->in.fd, bytes, sizeof(bytes));
    struct span line;

    if (length > 0) {
        take(stdio, bytes, (size_t)length);
    } else if (length == 0 || (errno != EAGAIN && errno != EINTR)) {
        stdio->ended = true;
        if (lines_rest(&stdio->lines, &line))
            stdio->user.line(stdio->user.context, line);
        watch(stdio);
        stdio->user.ended(stdio->user.context, false);
    }
}

/* The client is gone, or does not listen: nobody is left to work for. */
static void break_output(struct stdio *stdio)
{
    stdio->broken = true;
    output_clear(&stdio->output);
    watch(stdio);
    stdio->user.ended(stdio->user.context, true);
}

/* One write; false if it did not go, for the reason in errno. */
static bool write_some(struct stdio *stdio)
{
    struct span rest = output_rest(&stdio->output);
    ssize_t length = write(stdio->out.fd, rest.data, rest.length);

    if (length > 0)
        output_taken(&stdio->output, (size_t)length);
    return length >= 0;
}

static void write_output(struct stdio *stdio)
{
    if (!write_some(stdio) && errno != EAGAIN && errno != EINTR) {
        break_output(stdio);
        return;
    }
    watch(stdio);
    stdio->user.taken(stdio->user.context);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const struct stdio_end *end = poll->data;

    (void)status;
    (void)events;
    end->act(end->stdio);
}

static void on_idle(uv_idle_t *idle)
{
    const struct stdio_end *end = idle->data;

    end->act(end->stdio);
}

static void watch_end(struct stdio_end *end, bool wanted)
{
    if (end->stdio == NULL || wanted == end->watching)
        return;
    end->watching = wanted;
    if (end->polled && wanted)
        uv_poll_start(&end->poll, end->events, on_poll);
    else if (end->polled)
        uv_poll_stop(&end->poll);
    else if (wanted)
        uv_idle_start(&end->idle, on_idle);
    else
        uv_idle_stop(&end->idle);
}

static void watch(struct stdio *stdio)
{
    watch_end(&stdio->in, !stdio->paused && !stdio->ended);
    watch_end(&stdio->out, stdio_unwritten(stdio) > 0);
}

static enum error start_end(struct stdio *stdio, uv_loop_t *loop, struct stdio_end *end)
{
    end->flags = fcntl(end->fd, F_GETFL);
    if (end->flags < 0)
        return ERROR_IO;
    end->polled = uv_poll_init(loop, &end->poll, end->fd) == 0;
    if (!end->polled && uv_idle_init(loop, &end->idle) != 0)
        return ERROR_IO;
    end->poll.data = end->idle.data = end;
    end->stdio = stdio;
    return OK;
}

enum error stdio_start(struct stdio *stdio, uv_loop_t *loop, size_t max_line_bytes,
                       const struct stdio_user *user)
{
    enum error error;

    stdio->user = *user;
    lines_init(&stdio->lines, max_line_bytes);
    output_init(&stdio->output, OUTPUT_MAX);
    stdio->in = (struct stdio_end){.act = read_input, .fd = STDIN_FILENO, .events = UV_READABLE};
    stdio->out =
        (struct stdio_end){.act = write_output, .fd = STDOUT_FILENO, .events = UV_WRITABLE};
    error = start_end(stdio, loop, &stdio->in);
    if (error == OK)
        error = start_end(stdio, loop, &stdio->out);
    if (error == OK)
        watch(stdio);
    return error;
}

void stdio_write(struct stdio *stdio, struct span line)
{
    if (stdio->broken)
        return;
    if (output_add(&stdio->output, line.data, line.length) && output_add(&stdio->output, "\n", 1))
        watch(stdio);
    else
        break_output(stdio);
}

size_t stdio_unwritten(const struct stdio *stdio)
{
    return output_rest(&stdio->output).length;
}

void stdio_pause_input(struct stdio *stdio, bool pause)
{
    stdio->paused = pause;
    watch(stdio);
}

static void restore(const struct stdio_end *end)
{
    if (end->stdio != NULL)
        (void)fcntl(end->fd, F_SETFL, end->flags);
}

void stdio_stop(struct stdio *stdio, int wait_ms)
{
    struct pollfd item = {.fd = stdio->out.fd, .events = POLLOUT};

    while (stdio_unwritten(stdio) > 0) {
        if (!write_some(stdio) &&
            ((errno != EAGAIN && errno != EINTR) || poll(&item, 1, wait_ms) <= 0))
            break;
    }
    restore(&stdio->in);
    restore(&stdio->out);
    lines_clear(&stdio->lines);
    output_clear(&stdio->output);
}
