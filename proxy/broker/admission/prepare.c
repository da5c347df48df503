/* What is asked of a service before its WebSocket is opened. Called by admit.c. */
#include "broker/admission/waiting.h"

#include "broker/admission/prepared_path.h"
#include "broker/admission/upstream.h"
#include "wire/url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (64 * 1024)

struct prepare {
    struct waiting *waiting; /* NULL once it is settled or abandoned */
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open_handles;
    int fd;
    struct buffer answer;
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct prepare *prepare = handle->data;

    if (--prepare->open_handles > 0)
        return;
    buffer_wipe(&prepare->answer);
    free(prepare);
}

static void let_go(void *work)
{
    struct prepare *prepare = work;

    uv_close((uv_handle_t *)&prepare->timer, on_handle_closed);
    uv_close((uv_handle_t *)&prepare->poll, on_handle_closed);
    close(prepare->fd);
}

static void on_reached(struct question *question, int fd, void *work)
{
    char accept[WS_ACCEPT_SIZE], *path = work;
    enum reason reason = upstream_write_upgrade(question, path, fd, accept);

    free(path);
    if (reason_allows(reason)) {
        question_grant(question, fd, accept);
        return;
    }
    close(fd);
    question_refuse(question, reason);
}

/* The second connection: the WebSocket itself, on the path that the service named. */
static void open_upgrade(struct question *question, void *work)
{
    const struct buffer *path = work;
    struct buffer written;
    char *copy;

    buffer_init(&written, 3 * PREPARED_PATH_BYTES_MAX);
    url_encode((struct span){path->data, path->length}, true, &written);
    copy = buffer_failed(&written) ? NULL : strdup(written.data);
    buffer_clear(&written);
    if (copy == NULL)
        question_refuse(question, REASON_INTERNAL);
    else
        upstream_reach(question, (struct reach){on_reached, free, copy});
}

static void settle(struct prepare *prepare, enum reason reason, struct buffer *path)
{
    waiting_settle(prepare->waiting, reason, open_upgrade, path);
    let_go(prepare);
}

/* Reads as far as the answer has come; `ended`: nothing will follow. */
static void read_answer(struct prepare *prepare, bool ended)
{
    const struct question *question = waiting_question(prepare->waiting);
    struct span answer = {prepare->answer.data, prepare->answer.length};
    enum reason reason = REASON_PREPARE_ANSWER;
    struct buffer path;

    buffer_init(&path, PREPARED_PATH_BYTES_MAX);
    switch (prepared_path_read(question->steps.route->prepare, answer, ended, &path, &reason)) {
    case HTTP_MORE:
        break;
    case HTTP_FAULT:
        settle(prepare, reason, NULL);
        break;
    case HTTP_COMPLETE:
        settle(prepare, REASON_ALLOWED, &path);
        break;
    }
    buffer_clear(&path);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct prepare *prepare = poll->data;
    char bytes[4096];
    ssize_t received = recv(prepare->fd, bytes, sizeof(bytes), 0);

    (void)events;
    /* It takes nothing any more; what it had said before is still to be read. */
    if (status < 0)
        uv_poll_start(poll, UV_READABLE, on_readable);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received > 0)
        buffer_append(&prepare->answer, bytes, (size_t)received);
    if (buffer_failed(&prepare->answer) || prepare->answer.length == 0)
        settle(prepare, received > 0 ? REASON_PREPARE_ANSWER : REASON_PREPARE_STATUS, NULL);
    else
        read_answer(prepare, received <= 0);
}

static void on_timeout(uv_timer_t *timer)
{
    settle(timer->data, REASON_ANSWER_TIMEOUT, NULL);
}

/* HTTP/1.0, so that the answer comes without chunks and ends with the connection. */
static enum reason write_post(const struct question *question, int fd)
{
    const struct route_prepare *rule = question->steps.route->prepare;
    char room[CONFIG_LOCALHOST_SIZE];
    struct buffer body, post;
    enum reason reason;

    buffer_init(&body, 2 * PARAMS_BYTES_MAX);
    buffer_init(&post, 3 * PARAMS_BYTES_MAX);
    reason = upstream_stored_body(question->params, rule->member, rule->from, &body);
    if (reason_allows(reason)) {
        buffer_append_text(&post, "POST ");
        url_encode(span_of(rule->path), true, &post);
        buffer_append_format(&post,
                             " HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\n"
                             "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                             question_host(question, room), body.length);
        buffer_append(&post, body.data, body.length);
        reason = buffer_failed(&post) ? REASON_INTERNAL : upstream_write(fd, &post);
    }
    buffer_wipe(&body);
    buffer_wipe(&post);
    return reason;
}

static struct prepare *create(struct question *question, int fd)
{
    struct gate *gate = question->gate;
    struct prepare *prepare = calloc(1, sizeof(*prepare));

    if (prepare == NULL)
        return NULL;
    if (uv_poll_init(&gate->loop, &prepare->poll, fd) != 0) {
        free(prepare);
        return NULL;
    }
    uv_timer_init(&gate->loop, &prepare->timer);
    prepare->open_handles = 2;
    prepare->poll.data = prepare->timer.data = prepare;
    prepare->fd = fd;
    buffer_init(&prepare->answer, ANSWER_BYTES_MAX);
    return prepare;
}

/* The service is asked once the question has its place. */
void prepare_start(struct question *question, int fd)
{
    struct prepare *prepare = create(question, fd);
    enum reason reason;

    if (prepare == NULL) {
        close(fd);
        question_refuse(question, REASON_OUT_OF_MEMORY);
        return;
    }
    prepare->waiting = waiting_keep(question, let_go, prepare);
    if (prepare->waiting == NULL) {
        let_go(prepare);
        question_refuse(question, waiting_refusal(question));
        return;
    }
    question = waiting_question(prepare->waiting);
    reason = write_post(question, fd);
    if (!reason_allows(reason)) {
        settle(prepare, reason, NULL);
        return;
    }
    uv_poll_start(&prepare->poll, UV_READABLE, on_readable);
    uv_timer_start(&prepare->timer, on_timeout,
                   question->surface->config->limits.upstream_timeout_ms, 0);
}
