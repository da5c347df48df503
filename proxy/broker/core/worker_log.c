#include "broker/core/worker_log.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_BYTES     4096
#define READS_PER_TURN 4   /* then others have theirs */
#define LAST_READS_MAX 64  /* a pipe holds 64 KiB, pipe(7) */
#define PAUSE_MS       250 /* without reading, once the account is overdrawn */
#define HANDLES        2

struct worker_log {
    unsigned worker;
    int fd;
    struct worker_log_account *account;
    uv_poll_t poll;
    uv_timer_t pause;
    unsigned open_handles;
    size_t length;
    char line[WORKER_LOG_LINE_BYTES_MAX];
};

/* A leaky bucket: time pays back what bytes cost. */
static bool overdrawn(struct worker_log *log)
{
    struct worker_log_account *account = log->account;
    uint64_t now = uv_now(log->poll.loop);
    uint64_t paid = (now - account->seen_ms) * WORKER_LOG_BYTES_PER_SECOND / 1000;

    if (paid > 0) {
        account->spent = paid < account->spent ? account->spent - paid : 0;
        account->seen_ms = now;
    }
    return account->spent >= WORKER_LOG_BURST_BYTES;
}

static void end_line(struct worker_log *log)
{
    char name[32];

    log->account->spent += log->length + WORKER_LOG_LINE_COST;
    snprintf(name, sizeof(name), "worker %u", log->worker);
    if (log->length > 0)
        log_said(name, log->line, log->length);
    log->length = 0;
}

static void take(struct worker_log *log, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n')
            log->line[log->length++] = bytes[i];
        if (bytes[i] == '\n' || log->length == sizeof(log->line))
            end_line(log);
    }
}

/* Reads so many times, as long as there is something and the account is good. */
static ssize_t read_some(struct worker_log *log, unsigned times)
{
    char bytes[READ_BYTES];
    ssize_t length = 1;

    for (unsigned i = 0; i < times && length > 0 && !overdrawn(log); i++) {
        length = read(log->fd, bytes, sizeof(bytes));
        if (length > 0)
            take(log, bytes, (size_t)length);
    }
    return length;
}

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_resume(uv_timer_t *timer)
{
    struct worker_log *log = timer->data;

    uv_poll_start(&log->poll, UV_READABLE, on_readable);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct worker_log *log = poll->data;
    ssize_t length = status < 0 ? 0 : read_some(log, READS_PER_TURN);

    (void)events;
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
        uv_poll_stop(poll); /* its end is told by SIGCHLD */
        return;
    }
    if (!overdrawn(log)) {
        log->account->told = false;
        return;
    }
    if (!log->account->told)
        log_warning("worker %u writes more than is read of it; some of that is lost", log->worker);
    log->account->told = true;
    uv_poll_stop(poll);
    uv_timer_start(&log->pause, on_resume, PAUSE_MS, 0);
}

enum error worker_log_create(uv_loop_t *loop, unsigned worker, int fd,
                             struct worker_log_account *account, struct worker_log **out)
{
    struct worker_log *log = calloc(1, sizeof(*log));

    if (log == NULL)
        return ERROR_MEMORY;
    if (uv_poll_init(loop, &log->poll, fd) != 0) {
        free(log);
        return ERROR_IO;
    }
    uv_timer_init(loop, &log->pause);
    log->poll.data = log->pause.data = log;
    log->open_handles = HANDLES;
    log->worker = worker;
    log->fd = fd;
    log->account = account;
    uv_poll_start(&log->poll, UV_READABLE, on_readable);
    *out = log;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct worker_log *log = handle->data;

    if (--log->open_handles == 0)
        free(log);
}

void worker_log_end(struct worker_log *log)
{
    if (log == NULL)
        return;
    (void)read_some(log, LAST_READS_MAX);
    end_line(log);
    uv_close((uv_handle_t *)&log->poll, on_closed);
    uv_close((uv_handle_t *)&log->pause, on_closed);
    close(log->fd);
}
