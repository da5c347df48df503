#include "broker/admission/prepare.h"

#include "broker/admission/authenticate.h"
#include "broker/admission/upstream.h"
#include "wire/http_response.h"
#include "wire/url.h"
#include "json/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (64 * 1024)
#define ANSWER_VALUE_MAX 256
#define ANSWER_PLACE     "{answer}"

struct prepare {
    struct prepare *next;
    struct question question;
    struct ipc_admit message; /* its texts point into `bytes` */
    unsigned char *bytes;     /* the worker's question, kept */
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
    question_clear(&prepare->question);
    buffer_wipe(&prepare->answer);
    free(prepare->bytes);
    free(prepare);
}

static void finish(struct prepare *prepare)
{
    struct admission *admission = prepare->question.admission;
    struct prepare **at = &admission->preparing;

    while (*at != prepare)
        at = &(*at)->next;
    *at = prepare->next;
    admission->preparing_count--;
    uv_close((uv_handle_t *)&prepare->timer, on_handle_closed);
    uv_close((uv_handle_t *)&prepare->poll, on_handle_closed);
    close(prepare->fd);
}

/* The string member of the answer that names the path's last part. */
static enum error read_value(const struct prepare *prepare, size_t body_at,
                             char out[ANSWER_VALUE_MAX])
{
    const char *name = prepare->question.steps.route->prepare->answer;
    const struct json_member *member;
    struct json_scan *scan;
    size_t length;
    enum error error = json_scan_create(&scan);

    if (error != OK)
        return error;
    error = ERROR_INVALID;
    if (reason_allows(json_scan_text(scan, prepare->answer.data + body_at,
                                     prepare->answer.length - body_at, NULL)) &&
        json_scan_root(scan) == JSON_TYPE_OBJECT) {
        member = json_scan_find(scan, -1, name);
        if (member != NULL && member->type == JSON_TYPE_STRING)
            error = json_scan_unescape(member->value, out, ANSWER_VALUE_MAX, &length);
    }
    json_scan_destroy(scan);
    return error;
}

/* `then` with the value in its place; the value may be one plain path segment only. */
static enum error build_path(const char *then, const char *value, struct buffer *out)
{
    const char *place = strstr(then, ANSWER_PLACE);

    if (place == NULL || value[0] == '\0' || strpbrk(value, "/?#%;&\\.") != NULL)
        return ERROR_INVALID;
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x21 || (unsigned char)*c > 0x7e)
            return ERROR_INVALID;
    }
    buffer_append(out, then, (size_t)(place - then));
    buffer_append_text(out, value);
    buffer_append_text(out, place + sizeof(ANSWER_PLACE) - 1);
    return buffer_failed(out) ? ERROR_LIMIT : OK;
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

/* A complete answer: 2xx with JSON. */
static enum reason use_answer(struct prepare *prepare, const struct http_response *response)
{
    char value[ANSWER_VALUE_MAX];
    struct buffer path;
    enum reason reason = REASON_UPSTREAM_PROTOCOL;

    if (response->status < 200 || response->status > 299)
        return REASON_UPSTREAM_REFUSED;
    buffer_init(&path, 2 * REQUEST_PATH_BYTES_MAX);
    if (read_value(prepare, response->head_bytes, value) == OK &&
        build_path(prepare->question.steps.route->prepare->then, value, &path) == OK)
        reason = open_upgrade(&prepare->question, path.data);
    buffer_clear(&path);
    return reason;
}

/* Whether the whole body is there: by Content-Length, or by the end of the connection. */
static bool body_complete(const struct prepare *prepare, const struct http_response *response,
                          bool ended)
{
    struct span length;
    size_t have = prepare->answer.length - response->head_bytes;

    if (ended)
        return true;
    if (!reason_allows(http_response_single(response, "content-length", &length)) ||
        length.data == NULL || length.length == 0 || length.length > 9)
        return false;
    return have >= strtoul(length.data, NULL, 10);
}

static void settle(struct prepare *prepare, enum reason reason)
{
    if (!reason_allows(reason))
        question_refuse(&prepare->question, reason);
    finish(prepare);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct prepare *prepare = poll->data;
    struct http_response response;
    enum reason reason = REASON_UPSTREAM_PROTOCOL;
    char bytes[4096];
    ssize_t received = status < 0 ? 0 : recv(prepare->fd, bytes, sizeof(bytes), 0);

    (void)events;
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (received > 0)
        buffer_append(&prepare->answer, bytes, (size_t)received);
    if (buffer_failed(&prepare->answer) || prepare->answer.length == 0) {
        settle(prepare, received > 0 ? REASON_UPSTREAM_PROTOCOL : REASON_UPSTREAM_REFUSED);
        return;
    }
    switch (http_response_parse(prepare->answer.data, prepare->answer.length, &response, &reason)) {
    case HTTP_MORE:
        if (received <= 0)
            settle(prepare, REASON_UPSTREAM_PROTOCOL);
        return;
    case HTTP_FAULT:
        settle(prepare, reason);
        return;
    case HTTP_COMPLETE:
        if (body_complete(prepare, &response, received <= 0))
            settle(prepare, use_answer(prepare, &response));
        return;
    }
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
    struct ipc_writer writer = {.bytes = malloc(IPC_MESSAGE_BYTES_MAX)};

    if (writer.bytes == NULL)
        return ERROR_MEMORY;
    ipc_encode_admit(&writer, message);
    prepare->bytes = writer.bytes;
    return writer.failed ? ERROR_LIMIT
                         : ipc_decode_admit(writer.bytes, writer.length, &prepare->message);
}

/* Everything that the question owns moves over. */
static void take_over(struct prepare *prepare, struct question *question)
{
    prepare->question = *question;
    prepare->question.message = &prepare->message;
    prepare->question.steps.request = NULL;
    prepare->question.steps.context = NULL;
    question->has_session = false;
    question->params = NULL;
    steps_init(&question->steps);
}

static struct prepare *create(struct question *question, int fd)
{
    struct admission *admission = question->admission;
    struct prepare *prepare = calloc(1, sizeof(*prepare));

    if (prepare == NULL)
        return NULL;
    if (keep_message(prepare, question->message) != OK ||
        uv_poll_init(admission->loop, &prepare->poll, fd) != 0) {
        free(prepare->bytes);
        free(prepare);
        return NULL;
    }
    uv_timer_init(admission->loop, &prepare->timer);
    prepare->open_handles = 2;
    prepare->poll.data = prepare->timer.data = prepare;
    prepare->fd = fd;
    buffer_init(&prepare->answer, ANSWER_BYTES_MAX);
    prepare->next = admission->preparing;
    admission->preparing = prepare;
    admission->preparing_count++;
    take_over(prepare, question);
    return prepare;
}

void prepare_start(struct question *question, int fd)
{
    struct prepare *prepare = NULL;
    enum reason reason = write_post(question, fd);

    if (reason_allows(reason)) {
        if (question->admission->preparing_count < PREPARE_MAX)
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

void prepare_stop(struct admission *admission)
{
    while (admission->preparing != NULL)
        finish(admission->preparing);
}
