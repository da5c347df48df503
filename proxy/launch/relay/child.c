#include "launch/relay/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES     (16 * 1024)
#define READS_PER_TURN 4 /* then others have theirs */

struct child {
    struct child_events events;
    void *data;
    uv_loop_t *loop;
    int input, output; /* -1: not, or not any more */
    uv_poll_t input_poll, output_poll;
    unsigned handles; /* that are not closed yet, and the owner's hold */
    struct lines lines;
    struct buffer queue;
    bool finishing, deaf, paused, dry, destroyed;
};

/* ---- Handles ---- */

static void release(struct child *child)
{
    if (--child->handles > 0)
        return;
    lines_clear(&child->lines);
    buffer_wipe(&child->queue);
    free(child);
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void shut(int *fd, uv_poll_t *poll)
{
    if (*fd < 0)
        return;
    uv_close((uv_handle_t *)poll, on_closed);
    close(*fd);
    *fd = -1;
}

static enum error open_end(struct child *child, int fd, int *at, uv_poll_t *poll)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        uv_poll_init(child->loop, poll, fd) != 0) {
        close(fd);
        return ERROR_IO;
    }
    poll->data = child;
    child->handles++;
    *at = fd;
    return OK;
}

/* ---- What it says ---- */

static void end_output(struct child *child)
{
    struct span line;

    if (child->dry)
        return;
    child->dry = true;
    shut(&child->output, &child->output_poll);
    if (lines_rest(&child->lines, &line))
        child->events.line(child->data, line);
    if (!child->destroyed)
        child->events.dry(child->data);
}

/* One that is destroyed in a callback is still there until the loop turns. */
static void take(struct child *child, const char *bytes, size_t length)
{
    while (length > 0 && !child->destroyed) {
        struct span line;
        size_t taken;
        enum lines_progress progress = lines_next(&child->lines, bytes, length, &taken, &line);

        bytes += taken;
        length -= taken;
        if (progress == LINES_LINE && line.length > 0)
            child->events.line(child->data, line);
        else if (progress == LINES_TOO_LONG)
            child->events.too_long(child->data);
    }
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    struct child *child = poll->data;
    char bytes[READ_BYTES];
    ssize_t length = 1;

    (void)status; /* whatever it was: reading tells */
    (void)events;
    for (unsigned i = 0; i < READS_PER_TURN && length > 0 && !child->paused; i++) {
        length = read(child->output, bytes, sizeof(bytes));
        if (length > 0)
            take(child, bytes, (size_t)length);
        if (child->destroyed)
            return;
    }
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
        end_output(child);
}

void child_pause(struct child *child, bool pause)
{
    if (child->paused == pause)
        return;
    child->paused = pause;
    if (child->output < 0)
        return;
    if (pause)
        uv_poll_stop(&child->output_poll);
    else
        uv_poll_start(&child->output_poll, UV_READABLE, on_output);
}

/* ---- What it is told ---- */

/* One that has closed its input hears nothing more, and may live on for all that. */
static void deafen(struct child *child)
{
    shut(&child->input, &child->input_poll);
    buffer_clear(&child->queue);
    child->deaf = true;
}

static void flush(struct child *child);

static void on_input(uv_poll_t *poll, int status, int events)
{
    (void)status; /* whatever it was: writing tells */
    (void)events;
    flush(poll->data);
}

static void flush(struct child *child)
{
    while (child->input >= 0 && child->queue.length > 0) {
        ssize_t length = write(child->input, child->queue.data, child->queue.length);

        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0 && errno == EAGAIN) {
            uv_poll_start(&child->input_poll, UV_WRITABLE, on_input);
            return;
        }
        if (length < 0) {
            deafen(child);
            return;
        }
        buffer_consume(&child->queue, (size_t)length);
    }
    if (child->input < 0)
        return;
    uv_poll_stop(&child->input_poll);
    if (child->finishing)
        shut(&child->input, &child->input_poll);
}

enum error child_say(struct child *child, struct span message)
{
    size_t before = child->queue.length;

    if (child->finishing)
        return OK; /* as it would be lost in a pipe that nobody reads */
    if (child->deaf)
        return ERROR_LIMIT;
    buffer_append(&child->queue, message.data, message.length);
    buffer_append(&child->queue, "\n", 1);
    if (buffer_failed(&child->queue)) {
        buffer_truncate(&child->queue, before);
        return ERROR_LIMIT;
    }
    flush(child);
    return child->deaf ? ERROR_LIMIT : OK;
}

void child_finish(struct child *child)
{
    child->finishing = true;
    flush(child);
}

/* ---- Beginning and end ---- */

struct child *child_create(uv_loop_t *loop, const struct child_limits *limits,
                           const struct child_events *events, void *data)
{
    struct child *child = calloc(1, sizeof(*child));

    if (child == NULL)
        return NULL;
    child->loop = loop;
    child->events = *events;
    child->data = data;
    child->input = child->output = -1;
    child->handles = 1;
    lines_init(&child->lines, limits->max_line_bytes);
    buffer_init(&child->queue, limits->max_wait_bytes);
    return child;
}

enum error child_begin(struct child *child, int input, int output)
{
    enum error error;

    if (child->input >= 0 || child->output >= 0 || child->dry) {
        close(input);
        close(output);
        return ERROR_STATE;
    }
    error = open_end(child, input, &child->input, &child->input_poll);
    if (error != OK) {
        close(output);
        return error;
    }
    error = open_end(child, output, &child->output, &child->output_poll);
    if (error != OK)
        return error;
    if (!child->paused)
        uv_poll_start(&child->output_poll, UV_READABLE, on_output);
    flush(child);
    return OK;
}

void child_destroy(struct child *child)
{
    if (child == NULL)
        return;
    child->destroyed = child->dry = true;
    shut(&child->input, &child->input_poll);
    shut(&child->output, &child->output_poll);
    release(child);
}
