#include "broker/control/http.h"

#include "broker/control/routes.h"
#include "wire/http_body.h"
#include "wire/http_head.h"
#include "wire/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES_MAX    (16 * 1024)
#define ANSWER_HEAD_BYTES 512
#define READ_BYTES        (16 * 1024)
#define SEND_BYTES        (64 * 1024) /* in one turn */

/* One connection, which carries one request. */
struct call {
    struct control_http *http;
    struct call *next;
    int fd;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles; /* of the two above, not closed yet */
    char method[REQUEST_METHOD_BYTES_MAX + 1];
    struct control_request request;
    struct buffer in;
    size_t head_bytes;            /* 0: not read yet */
    size_t body_bytes;            /* announced */
    struct control_answer answer; /* in the making */
    bool answering;
    struct buffer out; /* the answer; once it is there, nothing is read any more */
    size_t sent;
};

static void drop_descriptor(struct control_answer *answer)
{
    if (answer->brings)
        close(answer->descriptor);
    answer->brings = false;
}

/* Not before its handles are closed and the operation it asked for has ended. */
static void release(struct call *call)
{
    struct call **at = &call->http->calls;

    if (call->handles > 0 || call->answering)
        return;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    call->http->count--;
    buffer_wipe(&call->in);
    buffer_wipe(&call->answer.body);
    buffer_wipe(&call->out);
    drop_descriptor(&call->answer);
    free(call);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct call *call = handle->data;

    call->handles--;
    release(call);
}

static void hang_up(struct call *call)
{
    if (uv_is_closing((uv_handle_t *)&call->poll))
        return;
    uv_close((uv_handle_t *)&call->poll, on_handle_closed);
    uv_close((uv_handle_t *)&call->timer, on_handle_closed);
    close(call->fd);
}

/* A peer that has been silent, or has taken nothing, for too long. */
static void on_timeout(uv_timer_t *timer)
{
    hang_up(timer->data);
}

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct call *call, int events)
{
    uv_poll_start(&call->poll, events, on_event);
    uv_timer_start(&call->timer, on_timeout, CONTROL_TIMEOUT_S * 1000, 0);
}

/* With what the answer brings. */
static ssize_t send_some(struct call *call, size_t length)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {.iov_base = call->out.data + call->sent, .iov_len = length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    if (call->answer.brings) {
        struct cmsghdr *header;

        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &call->answer.descriptor, sizeof(int));
    }
    return sendmsg(call->fd, &message, MSG_NOSIGNAL);
}

/* A part in each turn, however fast the peer reads. */
static void send_rest(struct call *call)
{
    size_t rest = call->out.length - call->sent;
    ssize_t sent;

    do
        sent = send_some(call, rest < SEND_BYTES ? rest : SEND_BYTES);
    while (sent < 0 && errno == EINTR);
    if (sent > 0) {
        drop_descriptor(&call->answer);
        call->sent += (size_t)sent;
    }
    if ((sent < 0 && errno != EAGAIN) || call->sent == call->out.length)
        hang_up(call);
    else
        watch(call, UV_WRITABLE);
}

static void append_answer(struct buffer *out, struct control_answer *answer)
{
    buffer_append_format(out,
                         "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                         "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
                         answer->status, http_status_phrase(answer->status), answer->content_type,
                         answer->body.length);
    buffer_append(out, answer->body.data, answer->body.length);
    buffer_wipe(&answer->body);
}

static void send_answer(struct call *call, struct control_answer *answer)
{
    append_answer(&call->out, answer);
    if (buffer_failed(&call->out))
        hang_up(call);
    else
        send_rest(call);
}

static void send_problem(struct call *call, unsigned status, const char *detail)
{
    struct control_answer answer;

    buffer_init(&answer.body, CONTROL_ANSWER_BYTES_MAX);
    control_routes_problem(&answer, status, detail);
    send_answer(call, &answer);
}

/* A peer that has gone meanwhile is not told; what it asked for was done. */
static void on_answered(void *context)
{
    struct call *call = context;

    call->answering = false;
    if (uv_is_closing((uv_handle_t *)&call->poll))
        release(call);
    else
        send_answer(call, &call->answer);
}

/* Nothing is heard and no time is taken until there is an answer. */
static void answer_request(struct call *call)
{
    call->request.body = (struct span){call->in.data + call->head_bytes, call->body_bytes};
    call->answer.status = 500;
    buffer_init(&call->answer.body, CONTROL_ANSWER_BYTES_MAX);
    call->answering = true;
    uv_poll_stop(&call->poll);
    uv_timer_stop(&call->timer);
    control_routes_answer(call->http->gate, &call->request, &call->answer, on_answered, call);
}

/* Paths of this API hold names and ids only. */
static bool read_path(struct control_request *request, struct span path)
{
    static const char permitted[] =
        "/-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    return reason_allows(url_path_decode(path, request->path, sizeof(request->path))) &&
           request->path[strspn(request->path, permitted)] == '\0';
}

static bool read_query(struct control_request *request, struct span rest)
{
    struct span name, value;

    while (url_query_next(&rest, &name, &value)) {
        size_t at = request->query_count;
        bool equals = value.data > name.data + name.length;

        if (at == CONTROL_QUERY_MAX || !equals ||
            url_query_decode(name, request->query[at].name, sizeof(request->query[at].name)) !=
                OK ||
            url_query_decode(value, request->query[at].value, sizeof(request->query[at].value)) !=
                OK)
            return false;
        request->query_count++;
    }
    return true;
}

/* Whether this is a request that may be answered once its body is there; else says what is wrong.
 */
static bool read_head(struct call *call, const struct http_request *head)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};
    struct http_body body;
    struct span upgrade;
    bool known = false;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        known = known || span_equals(head->method, methods[i]);
    snprintf(call->method, sizeof(call->method), "%.*s", (int)head->method.length,
             head->method.data);
    call->request.method = call->method;
    call->head_bytes = head->head_bytes;
    if (!known)
        send_problem(call, 405, "the control API knows GET, POST, PUT and DELETE");
    else if (!read_path(&call->request, head->path))
        send_problem(call, 404, "there is no such path in the control API");
    else if (!read_query(&call->request, head->query))
        send_problem(call, 400, "the query is too long or not name=value");
    else if (!reason_allows(http_fields_single(&head->fields, "upgrade", &upgrade)) ||
             upgrade.data != NULL)
        send_problem(call, 400, "the control API speaks nothing but HTTP/1.1");
    else if (!reason_allows(http_body_of_request(head, false, &body)))
        send_problem(call, 411, "a body needs exactly one valid Content-Length");
    else if (body.length > CONTROL_BODY_BYTES_MAX)
        send_problem(call, 413, "the body is too large");
    else if (body.length > 0 && !control_routes_takes_body(call->method))
        send_problem(call, 400, "this method takes no body");
    else {
        call->body_bytes = (size_t)body.length;
        return true;
    }
    return false;
}

/* Answers as soon as the whole request is there, so that a peer that has shut its side is too. */
static void look(struct call *call)
{
    struct http_request head;
    enum reason reason;

    if (call->head_bytes == 0) {
        switch (http_request_parse(call->in.data, call->in.length, &head, &reason)) {
        case HTTP_MORE:
            return;
        case HTTP_FAULT:
            send_problem(call, 400, "this is no HTTP/1.1 request that the control API can read");
            return;
        case HTTP_COMPLETE:
            if (!read_head(call, &head))
                return;
        }
    }
    if (call->in.length - call->head_bytes >= call->body_bytes)
        answer_request(call);
}

static void receive(struct call *call)
{
    char *room = buffer_reserve(&call->in, READ_BYTES);
    ssize_t got = room != NULL ? recv(call->fd, room, READ_BYTES, 0) : 0;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        hang_up(call);
        return;
    }
    buffer_commit(&call->in, (size_t)got);
    look(call);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct call *call = poll->data;

    (void)events;
    if (status < 0)
        hang_up(call);
    else if (call->out.length > 0)
        send_rest(call);
    else
        receive(call);
}

void control_http_turn_away(int fd, unsigned status, const char *detail)
{
    struct control_answer answer;
    struct buffer out;

    buffer_init(&answer.body, ANSWER_HEAD_BYTES);
    buffer_init(&out, 2 * ANSWER_HEAD_BYTES);
    control_routes_problem(&answer, status, detail);
    append_answer(&out, &answer);
    /* One that is gone need not hear it. */
    if (!buffer_failed(&out))
        (void)send(fd, out.data, out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
    buffer_clear(&out);
    close(fd);
}

bool control_http_serve(struct control_http *http, int fd, uint32_t uid)
{
    struct call *call = http->count < CONTROL_CONNECTIONS_MAX ? calloc(1, sizeof(*call)) : NULL;

    if (call == NULL)
        return false;
    if (uv_poll_init(&http->gate->loop, &call->poll, fd) != 0) {
        free(call);
        return false;
    }
    uv_timer_init(&http->gate->loop, &call->timer);
    call->handles = 2;
    call->poll.data = call->timer.data = call;
    call->http = http;
    call->fd = fd;
    call->request.uid = uid;
    buffer_init(&call->in, HEAD_BYTES_MAX + CONTROL_BODY_BYTES_MAX + READ_BYTES);
    buffer_init(&call->out, ANSWER_HEAD_BYTES + CONTROL_ANSWER_BYTES_MAX);
    call->next = http->calls;
    http->calls = call;
    http->count++;
    watch(call, UV_READABLE);
    return true;
}

void control_http_close(struct control_http *http)
{
    for (struct call *call = http->calls; call != NULL; call = call->next)
        hang_up(call);
}
