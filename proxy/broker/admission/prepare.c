/* What is asked of a service before its WebSocket is opened. Called by admit.c. */
#include "broker/admission/question.h"

#include "broker/admission/prepared_path.h"
#include "broker/admission/upstream.h"
#include "wire/url.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (64 * 1024)

struct prepare {
    struct prepare *next;
    struct question question;
    struct ipc_admit message; /* its texts point into `bytes` */
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned open_handles;
    int fd;
    struct buffer answer;
    unsigned char bytes[IPC_MESSAGE_BYTES_MAX]; /* the worker's question, kept */
};

static void on_handle_closed(uv_handle_t *handle)
{
    struct prepare *prepare = handle->data;

    if (--prepare->open_handles > 0)
        return;
    question_clear(&prepare->question);
    buffer_wipe(&prepare->answer);
    free(prepare);
}

static void finish(struct prepare *prepare)
{
    struct gate *gate = prepare->question.gate;
    struct prepare **at = &gate->preparing;

    while (*at != prepare)
        at = &(*at)->next;
    *at = prepare->next;
    gate->preparing_count--;
    uv_close((uv_handle_t *)&prepare->timer, on_handle_closed);
    uv_close((uv_handle_t *)&prepare->poll, on_handle_closed);
    close(prepare->fd);
}

/* The second connection: the WebSocket itself, on the path that the service named. */
static enum reason open_upgrade(struct question *question, const char *path)
{
    enum reason reason = authenticate_again(question);
    char accept[WS_ACCEPT_SIZE];
    int fd;

    if (reason_allows(reason))
        reason = upstream_connect(question->surface->config, &fd);
    if (!reason_allows(reason))
        return reason;
    reason = upstream_write_upgrade(question, path, fd, accept);
    if (reason_allows(reason))
        question_grant(question, fd, accept);
    else
        close(fd);
    return reason;
}

static void settle(struct prepare *prepare, enum reason reason)
{
    if (!reason_allows(reason))
        question_refuse(&prepare->question, reason);
    finish(prepare);
}

/* Reads as far as the answer has come; `ended`: nothing will follow. */
static void read_answer(struct prepare *prepare, bool ended)
{
    const struct route_prepare *rule = prepare->question.steps.route->prepare;
    struct span answer = {prepare->answer.data, prepare->answer.length};
    enum reason reason = REASON_UPSTREAM_PROTOCOL;
    struct buffer path;

    buffer_init(&path, PREPARED_PATH_BYTES_MAX);
    switch (prepared_path_read(rule, answer, ended, &path, &reason)) {
    case HTTP_MORE:
        break;
    case HTTP_FAULT:
        settle(prepare, reason);
        break;
    case HTTP_COMPLETE:
        settle(prepare, open_upgrade(&prepare->question, path.data));
        break;
    }
    buffer_clear(&path);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct prepare *prepare = poll->data;
    char bytes[4096];
    ssize_t received = status < 0 ? 0 : recv(prepare->fd, bytes, sizeof(bytes), 0);

    (void)events;
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received > 0)
        buffer_append(&prepare->answer, bytes, (size_t)received);
    if (buffer_failed(&prepare->answer) || prepare->answer.length == 0)
        settle(prepare, received > 0 ? REASON_UPSTREAM_PROTOCOL : REASON_UPSTREAM_REFUSED);
    else
        read_answer(prepare, received <= 0);
}

static void on_timeout(uv_timer_t *timer)
{
    settle(timer->data, REASON_UPSTREAM_TIMEOUT);
}

/* HTTP/1.0, so that the answer comes without chunks and ends with the connection. */
static enum reason write_post(const struct question *question, int fd)
{
    const struct route_prepare *rule = question->steps.route->prepare;
    struct buffer body, post;
    enum reason reason;

    buffer_init(&body, 2 * PARAMS_BYTES_MAX);
    buffer_init(&post, 3 * PARAMS_BYTES_MAX);
    reason = upstream_stored_body(question->params, rule->member, rule->from, &body);
    if (reason_allows(reason)) {
        buffer_append_text(&post, "POST ");
        url_encode(span_of(rule->path), true, &post);
        buffer_append_format(&post,
                             " HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                             "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                             body.length);
        buffer_append(&post, body.data, body.length);
        reason = buffer_failed(&post) ? REASON_INTERNAL : upstream_write(fd, &post);
    }
    buffer_wipe(&body);
    buffer_wipe(&post);
    return reason;
}

/* The question's texts must outlive the message they came in: encode it once more and keep that. */
static enum error keep_message(struct prepare *prepare, const struct ipc_admit *message)
{
    struct ipc_writer writer = {.bytes = prepare->bytes};

    ipc_encode(&writer, IPC_ADMIT, message);
    return writer.failed ? ERROR_LIMIT
                         : ipc_decode(IPC_ADMIT, writer.bytes, writer.length, &prepare->message);
}

/* Everything that the question owns moves over. */
static void take_over(struct prepare *prepare, struct question *question)
{
    prepare->question = *question;
    prepare->question.message = &prepare->message;
    prepare->question.steps.request = &prepare->message.request;
    prepare->question.steps.context = NULL;
    question->session = (struct session){0};
    question->params = NULL;
    steps_init(&question->steps);
}

static struct prepare *create(struct question *question, int fd)
{
    struct gate *gate = question->gate;
    struct prepare *prepare = calloc(1, sizeof(*prepare));

    if (prepare == NULL)
        return NULL;
    if (keep_message(prepare, question->message) != OK ||
        uv_poll_init(&gate->loop, &prepare->poll, fd) != 0) {
        free(prepare);
        return NULL;
    }
    uv_timer_init(&gate->loop, &prepare->timer);
    prepare->open_handles = 2;
    prepare->poll.data = prepare->timer.data = prepare;
    prepare->fd = fd;
    buffer_init(&prepare->answer, ANSWER_BYTES_MAX);
    prepare->next = gate->preparing;
    gate->preparing = prepare;
    gate->preparing_count++;
    take_over(prepare, question);
    return prepare;
}

void prepare_start(struct question *question, int fd)
{
    struct prepare *prepare = NULL;
    enum reason reason = write_post(question, fd);

    if (reason_allows(reason)) {
        if (question->gate->preparing_count < PREPARE_MAX)
            prepare = create(question, fd);
        reason = REASON_CAPACITY;
    }
    if (prepare == NULL) {
        close(fd);
        question_refuse(question, reason);
        return;
    }
    uv_poll_start(&prepare->poll, UV_READABLE, on_readable);
    uv_timer_start(&prepare->timer, on_timeout,
                   question->surface->config->limits.upstream_timeout_ms, 0);
}

void prepare_stop(struct gate *gate)
{
    while (gate->preparing != NULL)
        finish(gate->preparing);
}
