#include "launch/supervise/asking.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARD_BYTES    13   /* "HTTP/1.1 200 " */
#define LINGER_MS      1000 /* for the rest of an answer, so that the service is not cut off */
#define REST_BYTES_MAX 65536

/* One connection, and what is heard on it. */
struct attempt {
    struct asking *asking; /* NULL: nobody waits for it any more */
    uv_timer_t timer;      /* its time, then that of the rest */
    uv_poll_t poll;
    int fd;        /* -1: none yet */
    bool dialling; /* it is called back once more */
    unsigned open_handles;
    char heard[HEARD_BYTES];
    size_t length, rest;
};

struct asking {
    struct asking_subject subject;
    char path[CONFIG_READY_BYTES_MAX + 1];
    uint32_t timeout_s;
    uint64_t until_ms;
    unsigned pause_ms;
    uv_timer_t timer;
    struct attempt *attempt;
    bool refused;      /* by nobody who listens, which is told after the pause */
    const char *cause; /* of the last attempt that had all of its time; NULL: none had */
    char status[32];
};

/* ---- The end ---- */

static void free_attempt(struct attempt *attempt)
{
    if (attempt->open_handles > 0 || attempt->dialling)
        return;
    if (attempt->fd >= 0)
        close(attempt->fd);
    free(attempt);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    struct attempt *attempt = handle->data;

    attempt->open_handles--;
    free_attempt(attempt);
}

static void close_attempt(struct attempt *attempt)
{
    uv_close((uv_handle_t *)&attempt->timer, on_attempt_closed);
    if (attempt->fd >= 0)
        uv_close((uv_handle_t *)&attempt->poll, on_attempt_closed);
}

static void on_lingered(uv_timer_t *timer)
{
    close_attempt(timer->data);
}

/* It is not waited for any more; what may still come of an answer is let come. */
static void let_go(struct asking *asking)
{
    struct attempt *attempt = asking->attempt;

    if (attempt == NULL)
        return;
    asking->attempt = NULL;
    attempt->asking = NULL;
    if (attempt->length == HEARD_BYTES)
        uv_timer_start(&attempt->timer, on_lingered, LINGER_MS, 0);
    else
        close_attempt(attempt);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void asking_cancel(struct asking *asking)
{
    if (asking == NULL)
        return;
    let_go(asking);
    uv_close((uv_handle_t *)&asking->timer, on_closed);
}

static void finish(struct asking *asking, const char *why)
{
    const struct asking_subject subject = asking->subject;

    asking_cancel(asking);
    subject.ended(subject.data, why);
}

/* ---- One attempt ---- */

static void on_turn(uv_timer_t *timer);

/* Another follows, unless there is no time for it. */
static void fail(struct asking *asking, const char *cause, bool refused)
{
    uint64_t now = uv_now(asking->subject.diallings->loop);
    char why[ASKING_WHY_SIZE];

    asking->cause = cause;
    let_go(asking);
    if (now >= asking->until_ms) {
        snprintf(why, sizeof(why),
                 "its service did not answer GET %s as one that is ready in %u s: %s", asking->path,
                 asking->timeout_s, cause);
        finish(asking, why);
        return;
    }
    asking->refused = refused;
    uv_timer_start(&asking->timer, on_turn, asking->pause_ms, 0);
    asking->pause_ms =
        asking->pause_ms < ASKING_PAUSE_MAX_MS / 2 ? 2 * asking->pause_ms : ASKING_PAUSE_MAX_MS;
    if (refused)
        return;
    snprintf(why, sizeof(why), "it listens; GET %s says that it is not ready: %s", asking->path,
             cause);
    asking->subject.vain(asking->subject.data, why);
}

/* 0: it is no status line. */
static int status_of(const char line[HEARD_BYTES])
{
    bool is_line = strncmp(line, "HTTP/1.", 7) == 0 && (line[7] == '0' || line[7] == '1') &&
                   line[8] == ' ' && (line[12] == ' ' || line[12] == '\r');
    int status = 0;

    for (size_t i = 9; i < 12; i++) {
        is_line = is_line && isdigit((unsigned char)line[i]);
        status = 10 * status + (line[i] - '0');
    }
    return is_line ? status : 0;
}

static void judge(struct attempt *attempt)
{
    struct asking *asking = attempt->asking;
    int status = status_of(attempt->heard);

    if (status >= 200 && status < 400) {
        finish(asking, "");
    } else if (status > 0) {
        snprintf(asking->status, sizeof(asking->status), "status %d", status);
        fail(asking, asking->status, false);
    } else {
        fail(asking, "what it says is no answer of HTTP/1", false);
    }
}

/* The rest of an answer that was judged. */
static void drain(struct attempt *attempt)
{
    char bytes[4096];
    ssize_t length = recv(attempt->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (length < 0 && errno == EAGAIN)
        return;
    attempt->rest += length > 0 ? (size_t)length : 0;
    if (length <= 0 || attempt->rest > REST_BYTES_MAX)
        close_attempt(attempt);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct attempt *attempt = poll->data;
    ssize_t length;

    (void)status; /* reading tells */
    (void)events;
    if (attempt->asking == NULL) {
        drain(attempt);
        return;
    }
    length = recv(attempt->fd, attempt->heard + attempt->length, HEARD_BYTES - attempt->length,
                  MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return;
    if (length <= 0) {
        fail(attempt->asking, "it hangs up", false);
        return;
    }
    attempt->length += (size_t)length;
    if (attempt->length == HEARD_BYTES)
        judge(attempt);
}

/* Few bytes, into a buffer that is empty. */
static bool send_request(const struct asking *asking, int fd)
{
    char request[CONFIG_READY_BYTES_MAX + 128];
    int length = snprintf(request, sizeof(request),
                          "GET %s HTTP/1.1\r\nHost: localhost:%u\r\nUser-Agent: sidelock\r\n"
                          "Accept: */*\r\nConnection: close\r\n\r\n",
                          asking->path, asking->subject.port);

    return send(fd, request, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL) == length;
}

static void on_dialed(void *data, int fd, int error)
{
    struct attempt *attempt = data;
    struct asking *asking = attempt->asking;

    attempt->dialling = false;
    if (asking == NULL) {
        if (fd >= 0)
            close(fd);
        free_attempt(attempt);
        return;
    }
    if (fd >= 0 && send_request(asking, fd) &&
        uv_poll_init(asking->subject.diallings->loop, &attempt->poll, fd) == 0) {
        attempt->fd = fd;
        attempt->open_handles++;
        attempt->poll.data = attempt;
        uv_poll_start(&attempt->poll, UV_READABLE, on_readable);
        return;
    }
    if (fd >= 0)
        close(fd);
    fail(asking, "there is no connection to it", fd < 0 && error == ECONNREFUSED);
}

static void on_late(uv_timer_t *timer)
{
    const struct attempt *attempt = timer->data;
    struct asking *asking = attempt->asking;
    bool cut = asking->cause != NULL && uv_now(timer->loop) >= asking->until_ms;

    fail(asking, cut ? asking->cause : "it does not answer", false);
}

static void on_turn(uv_timer_t *timer)
{
    struct asking *asking = timer->data;
    const struct asking_subject *subject = &asking->subject;
    struct attempt *attempt;
    uint64_t now = uv_now(subject->diallings->loop), left_ms;

    if (asking->refused) {
        subject->lost(subject->data);
        return;
    }
    attempt = calloc(1, sizeof(*attempt));
    if (attempt == NULL) {
        fail(asking, "out of memory", false);
        return;
    }
    left_ms = asking->until_ms > now ? asking->until_ms - now : 1;
    attempt->asking = asking;
    attempt->fd = -1;
    attempt->dialling = true;
    attempt->open_handles = 1;
    uv_timer_init(subject->diallings->loop, &attempt->timer);
    attempt->timer.data = attempt;
    uv_timer_start(&attempt->timer, on_late, left_ms < ASKING_TRY_MS ? left_ms : ASKING_TRY_MS, 0);
    asking->attempt = attempt;
    dialling_begin(&(struct dialling_order){subject->diallings, on_dialed, attempt, ASKING_TRY_MS},
                   subject->tree, subject->port);
}

/* The first time in a turn of its own, so that nobody hears of it before he has it. */
struct asking *asking_begin(const struct asking_subject *subject)
{
    struct asking *asking = calloc(1, sizeof(*asking));

    if (asking == NULL)
        return NULL;
    asking->subject = *subject;
    snprintf(asking->path, sizeof(asking->path), "%s", subject->ready->path);
    asking->timeout_s = subject->ready->timeout_s;
    if (*subject->until_ms == 0)
        *subject->until_ms = uv_now(subject->diallings->loop) + UINT64_C(1000) * asking->timeout_s;
    asking->until_ms = *subject->until_ms;
    asking->pause_ms = ASKING_PAUSE_MIN_MS;
    uv_timer_init(subject->diallings->loop, &asking->timer);
    asking->timer.data = asking;
    uv_timer_start(&asking->timer, on_turn, 0, 0);
    return asking;
}
