#include "connect/bridge/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES   65536
#define OUTPUT_MAX   (256U * 1024 * 1024)
#define OUTPUT_SLACK 65536 /* written bytes are dropped from the front in such steps */

static void watch(struct connect *connect);

/* Gives what was read to connect.c, line by line. */
static void take(struct connect *connect, const char *bytes, size_t length)
{
    struct stdio *stdio = &connect->stdio;

    while (length > 0) {
        size_t taken;
        struct span line;

        switch (lines_next(&stdio->lines, bytes, length, &taken, &line)) {
        case LINES_LINE:
            connect_line(connect, line);
            break;
        case LINES_TOO_LONG:
        case LINES_MEMORY:
            connect_line_too_long(connect);
            break;
        default:
            break;
        }
        bytes += taken;
        length -= taken;
    }
}

static void end_input(struct connect *connect)
{
    struct stdio *stdio = &connect->stdio;
    struct span line;

    stdio->ended = true;
    if (lines_rest(&stdio->lines, &line))
        connect_line(connect, line);
    watch(connect);
    connect_end(connect, false);
}

static void read_input(struct connect *connect)
{
    char bytes[READ_BYTES];
    ssize_t length = read(connect->stdio.in.fd, bytes, sizeof(bytes));

    if (length > 0)
        take(connect, bytes, (size_t)length);
    else if (length == 0 || (errno != EAGAIN && errno != EINTR))
        end_input(connect);
}

/* The client is gone, or does not listen: nobody is left to work for. */
static void break_output(struct connect *connect)
{
    connect->stdio.broken = true;
    buffer_reset(&connect->stdio.output);
    connect->stdio.output_sent = 0;
    watch(connect);
    connect_end(connect, true);
}

static void write_output(struct connect *connect)
{
    struct stdio *stdio = &connect->stdio;
    struct buffer *output = &stdio->output;

    while (stdio->output_sent < output->length) {
        ssize_t length = write(stdio->out.fd, output->data + stdio->output_sent,
                               output->length - stdio->output_sent);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN)
            break;
        if (length < 0) {
            break_output(connect);
            return;
        }
        stdio->output_sent += (size_t)length;
    }
    if (stdio->output_sent == output->length || stdio->output_sent > OUTPUT_SLACK) {
        size_t left = output->length - stdio->output_sent;

        memmove(output->data, output->data + stdio->output_sent, left);
        output->length = left;
        stdio->output_sent = 0;
    }
    connect_pause_output(connect, output->length - stdio->output_sent > OUTPUT_PAUSE);
    watch(connect);
    connect_settle(connect);
}

static void on_in_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    read_input(poll->data);
}

static void on_out_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    write_output(poll->data);
}

static void on_in_idle(uv_idle_t *idle)
{
    read_input(idle->data);
}

static void on_out_idle(uv_idle_t *idle)
{
    write_output(idle->data);
}

static void watch_end(struct pipe_end *end, bool wanted, int events, uv_poll_cb on_poll,
                      uv_idle_cb on_idle)
{
    if (!end->started || wanted == end->watching)
        return;
    end->watching = wanted;
    if (end->polled && wanted)
        uv_poll_start(&end->poll, events, on_poll);
    else if (end->polled)
        uv_poll_stop(&end->poll);
    else if (wanted)
        uv_idle_start(&end->idle, on_idle);
    else
        uv_idle_stop(&end->idle);
}

static void watch(struct connect *connect)
{
    struct stdio *stdio = &connect->stdio;

    watch_end(&stdio->in, stdio->wanted && !stdio->ended, UV_READABLE, on_in_poll, on_in_idle);
    watch_end(&stdio->out, !stdio->broken && stdio->output.length > stdio->output_sent, UV_WRITABLE,
              on_out_poll, on_out_idle);
}

/* A pipe, a terminal or a socket is polled; a file is always ready and cannot be. */
static enum error start_end(struct connect *connect, struct pipe_end *end, int fd)
{
    end->fd = fd;
    end->flags = fcntl(fd, F_GETFL);
    if (end->flags < 0)
        return ERROR_IO;
    end->polled = uv_poll_init(&connect->loop, &end->poll, fd) == 0;
    if (!end->polled && uv_idle_init(&connect->loop, &end->idle) != 0)
        return ERROR_IO;
    end->poll.data = connect;
    end->idle.data = connect;
    end->started = true;
    return OK;
}

enum error stdio_start(struct connect *connect)
{
    struct stdio *stdio = &connect->stdio;
    enum error error = start_end(connect, &stdio->in, STDIN_FILENO);

    if (error == OK)
        error = start_end(connect, &stdio->out, STDOUT_FILENO);
    lines_init(&stdio->lines, connect->place.max_message_bytes);
    buffer_init(&stdio->output, OUTPUT_MAX);
    stdio->wanted = true;
    if (error == OK)
        watch(connect);
    return error;
}

void stdio_write(struct connect *connect, struct span line)
{
    struct stdio *stdio = &connect->stdio;

    if (stdio->broken)
        return;
    buffer_append(&stdio->output, line.data, line.length);
    buffer_append_text(&stdio->output, "\n");
    if (buffer_failed(&stdio->output)) {
        break_output(connect);
        return;
    }
    connect_pause_output(connect, stdio->output.length - stdio->output_sent > OUTPUT_PAUSE);
    watch(connect);
}

void stdio_pause_input(struct connect *connect, bool pause)
{
    connect->stdio.wanted = !pause;
    watch(connect);
}

static void restore(const struct pipe_end *end)
{
    if (end->started)
        (void)fcntl(end->fd, F_SETFL, end->flags);
}

void stdio_stop(struct connect *connect, int wait_ms)
{
    struct stdio *stdio = &connect->stdio;
    struct pollfd item = {.fd = stdio->out.fd, .events = POLLOUT};

    while (!stdio->broken && stdio->output_sent < stdio->output.length) {
        ssize_t length = write(stdio->out.fd, stdio->output.data + stdio->output_sent,
                               stdio->output.length - stdio->output_sent);

        if (length > 0)
            stdio->output_sent += (size_t)length;
        else if ((length < 0 && errno != EAGAIN && errno != EINTR) || poll(&item, 1, wait_ms) <= 0)
            break;
    }
    restore(&stdio->in);
    restore(&stdio->out);
    lines_clear(&stdio->lines);
    buffer_clear(&stdio->output);
}
