#include "launch/supervise/output.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES     8192
#define READS_PER_TURN 8  /* then others have theirs */
#define LAST_READS_MAX 16 /* a pipe holds 64 KiB, pipe(7) */

struct output {
    const char *name;
    int fd;
    struct ration *ration;
    uv_poll_t poll;
    size_t length;
    char line[OUTPUT_LINE_BYTES_MAX];
};

static void tell_lost(struct output *output)
{
    if (output->ration->lost == 0)
        return;
    log_warning("surface %s: %llu bytes that its service wrote are left out: it writes more than "
                "%d bytes a second",
                output->name, (unsigned long long)output->ration->lost, RATION_BYTES_PER_SECOND);
    output->ration->lost = 0;
}

static void end_line(struct output *output)
{
    if (output->length == 0)
        return;
    if (ration_pay(output->ration, output->length, uv_now(output->poll.loop))) {
        tell_lost(output);
        log_said(output->name, output->line, output->length);
    }
    output->length = 0;
}

static void take(struct output *output, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n')
            output->line[output->length++] = bytes[i];
        if (bytes[i] == '\n' || output->length == sizeof(output->line))
            end_line(output);
    }
}

static ssize_t read_some(struct output *output, unsigned times)
{
    char bytes[READ_BYTES];
    ssize_t length = 1;

    for (unsigned i = 0; i < times && length > 0; i++) {
        length = read(output->fd, bytes, sizeof(bytes));
        if (length > 0)
            take(output, bytes, (size_t)length);
    }
    return length;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct output *output = poll->data;
    ssize_t length = status < 0 ? 0 : read_some(output, READS_PER_TURN);

    (void)events;
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR))
        uv_poll_stop(poll); /* all have closed it, which is no end yet */
}

enum error output_create(uv_loop_t *loop, const char *name, int fd, struct ration *ration,
                         struct output **out)
{
    struct output *output = calloc(1, sizeof(*output));

    if (output == NULL)
        return ERROR_MEMORY;
    if (uv_poll_init(loop, &output->poll, fd) != 0) {
        free(output);
        return ERROR_IO;
    }
    output->poll.data = output;
    output->name = name;
    output->fd = fd;
    output->ration = ration;
    uv_poll_start(&output->poll, UV_READABLE, on_readable);
    *out = output;
    return OK;
}

enum error output_open(uv_loop_t *loop, const char *name, struct ration *ration,
                       struct output **out, int *writes)
{
    int pair[2];
    enum error error = ERROR_IO;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return ERROR_IO;
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0)
        error = output_create(loop, name, pair[0], ration, out);
    if (error != OK) {
        close(pair[0]);
        close(pair[1]);
        return error;
    }
    *writes = pair[1];
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void output_end(struct output *output)
{
    if (output == NULL)
        return;
    (void)read_some(output, LAST_READS_MAX);
    end_line(output);
    tell_lost(output);
    uv_close((uv_handle_t *)&output->poll, on_closed);
    close(output->fd);
}
