#include "cli/gate.h"

#include "base/secret.h"
#include "cli/config_file.h"
#include "cli/terminal/args.h"
#include "cli/terminal/shown.h"
#include "system/trusted_socket.h"
#include "wire/http_head.h"
#include "json/parse.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES_MAX 8192
#define PIECE_BYTES    16384

static int fail(const struct gate *gate, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* args_fail(), unless it is to be quiet. */
static int fail(const struct gate *gate, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (!gate->quiet)
        args_fail_list(code, format, arguments);
    va_end(arguments);
    return code;
}

int gate_open(struct gate *gate)
{
    const char *path = gate->control;
    struct config *config = NULL;
    int code = EX_OK;

    if (gate->path[0] != '\0')
        return EX_OK;
    if (path == NULL && gate->config == NULL)
        path = getenv("SIDELOCK_CONTROL");
    if (path == NULL) {
        code = config_file_load(gate->config, &config);
        if (code != EX_OK)
            return code;
        path = config->control_socket;
    }
    if (strlen(path) < sizeof(gate->path))
        memcpy(gate->path, path, strlen(path) + 1);
    else
        code = fail(gate, EX_CONFIG, "the control socket's path is longer than %zu bytes: %s",
                    sizeof(gate->path) - 1, path);
    config_destroy(config);
    return code;
}

static time_t deadline_of(const struct gate *gate)
{
    return gate->deadline_s != 0 ? gate->deadline_s : GATE_DEADLINE_S;
}

/*
 * A connected socket that waits for nothing longer than the deadline, or -1: `why` says who
 * may be at the other end, or is empty, and errno says why.
 */
static int dial(const struct gate *gate, char why[WHY_SIZE])
{
    const struct timeval deadline = {.tv_sec = deadline_of(gate)};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;
    struct trusted_way way = TRUSTED_WAY(gate->path, TRUST_GIVEN);
    enum error error = ERROR_IO;

    why[0] = '\0';
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline)) == 0)
        error = trusted_way_connect(&way, fd, why);
    trusted_way_clear(&way);
    if (error == OK)
        return fd;
    if (error != ERROR_DENIED)
        why[0] = '\0';
    saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

bool gate_answers(const struct gate *gate)
{
    char why[WHY_SIZE];
    int fd = dial(gate, why);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || why[0] != '\0' || (errno != ENOENT && errno != ECONNREFUSED);
}

static int not_running(const struct gate *gate, const char *why)
{
    if (why[0] != '\0')
        return fail(gate, EX_NOPERM, "nothing was said on the control socket: %s", why);
    if (errno == EACCES)
        return fail(gate, EX_NOPERM,
                    "the control socket %s may not be opened by this user; run as the user "
                    "that runs Sidelock, or name this uid in \"operators\"",
                    gate->path);
    return fail(gate, EX_UNAVAILABLE,
                "Sidelock is not running: nothing answers at %s; start it with "
                "`sidelock serve`",
                gate->path);
}

/* A peer that refuses early closes while we still write: then its answer is what counts. */
static bool send_all(int fd, struct span bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(fd, bytes.data, bytes.length, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return errno == EPIPE || errno == ECONNRESET;
        bytes.data += sent > 0 ? sent : 0;
        bytes.length -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

/* The first bytes of an answer, and the descriptor that comes with them. */
static bool receive_descriptor(int fd, int *descriptor, struct buffer *out)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    char bytes[512];
    struct iovec piece = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    const struct cmsghdr *header;
    ssize_t length;

    do
        length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    header = CMSG_FIRSTHDR(&message);
    *descriptor = -1;
    if (length > 0 && header != NULL && header->cmsg_level == SOL_SOCKET &&
        header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(descriptor, CMSG_DATA(header), sizeof(int));
    if (length > 0)
        buffer_append(out, bytes, (size_t)length);
    return length >= 0;
}

/* No wait is longer than what is left until then, so bytes that trickle win no time. */
static bool wait_until(int fd, const struct timespec *until)
{
    struct timespec now;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int64_t left_ms;
    int ready;

    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
        left_ms =
            (int64_t)(until->tv_sec - now.tv_sec) * 1000 + (until->tv_nsec - now.tv_nsec) / 1000000;
        ready = left_ms > 0 ? poll(&readable, 1, (int)left_ms) : 0;
    } while (ready < 0 && errno == EINTR);
    if (ready == 0)
        errno = EAGAIN;
    return ready > 0;
}

static bool receive_all(const struct gate *gate, int fd, struct buffer *out)
{
    char bytes[PIECE_BYTES];
    struct timespec until;
    ssize_t length = 1;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += deadline_of(gate);
    if (gate->descriptor != NULL && !receive_descriptor(fd, gate->descriptor, out))
        return false;
    while (length > 0 && !buffer_failed(out)) {
        length = wait_until(fd, &until) ? recv(fd, bytes, sizeof(bytes), 0) : -1;
        if (length > 0)
            buffer_append(out, bytes, (size_t)length);
    }
    secret_wipe(bytes, sizeof(bytes));
    if (buffer_failed(out))
        errno = EMSGSIZE;
    return (length >= 0 && !buffer_failed(out)) || (errno == ECONNRESET && out->length > 0);
}

/* What is wrong with the configuration of the gate that runs, as `sidelock check` says it. */
static int report_faults(const struct gate *gate, const json_t *faults)
{
    const json_t *line;
    size_t i;

    json_array_foreach(faults, i, line)
    {
        fail(gate, EX_CONFIG, "%s", json_is_string(line) ? json_string_value(line) : "");
    }
    return EX_CONFIG;
}

/* Says what the problem document says, and picks the exit code. */
static int report_problem(const struct gate *gate, unsigned status, struct span body)
{
    json_t *root = json_loadb(body.data, body.length, JSON_REJECT_DUPLICATES, NULL);
    const char *detail = json_string_value(json_object_get(root, "detail"));
    const char *reason = json_string_value(json_object_get(root, "reason"));
    int code = status / 100 == 4 ? EX_DATAERR : EX_SOFTWARE;

    if (status == 403)
        code = EX_NOPERM;
    if (gate->reason != NULL)
        snprintf(gate->reason, GATE_REASON_SIZE, "%s", reason != NULL ? reason : "");
    if (json_is_array(json_object_get(root, "faults")))
        code = report_faults(gate, json_object_get(root, "faults"));
    else if (detail != NULL)
        fail(gate, code, "%s", detail);
    else
        fail(gate, code, "Sidelock answered with HTTP status %u", status);
    json_decref(root);
    return code;
}

static int exchange(const struct gate *gate, struct span request, struct buffer *raw)
{
    char why[WHY_SIZE];
    int fd = dial(gate, why), code = EX_OK;

    if (fd < 0)
        return not_running(gate, why);
    if (!send_all(fd, request) || !receive_all(gate, fd, raw)) {
        bool late = errno == EAGAIN;

        code = fail(gate, late ? EX_UNAVAILABLE : EX_IOERR, "no whole answer came from %s: %s",
                    gate->path, strerror(late ? ETIMEDOUT : errno));
    }
    close(fd);
    return code;
}

/* The body of a good answer, or what the exit code is of a bad one. */
static int read_answer(const struct gate *gate, const struct buffer *raw, struct buffer *answer)
{
    struct http_response head;
    struct span body;

    if (raw->length == 0 || http_response_parse(raw->data, raw->length, &head) != HTTP_COMPLETE)
        return fail(gate, EX_PROTOCOL, "what answers at %s does not speak HTTP: it is not Sidelock",
                    gate->path);
    body = (struct span){raw->data + head.head_bytes, raw->length - head.head_bytes};
    if (head.status / 100 != 2)
        return report_problem(gate, head.status, body);
    buffer_append(answer, body.data, body.length);
    if (buffer_failed(answer))
        return fail(gate, EX_OSERR, "the answer is too large");
    return EX_OK;
}

int gate_call(struct gate *gate, const char *method, const char *path, struct span body,
              struct buffer *answer)
{
    struct buffer request, raw;
    int code = gate_open(gate);

    if (code != EX_OK)
        return code;
    if (gate->reason != NULL)
        gate->reason[0] = '\0';
    buffer_init(&request, GATE_PATH_BYTES_MAX + HEAD_BYTES_MAX + body.length);
    buffer_init(&raw, GATE_ANSWER_BYTES_MAX);
    buffer_append_format(&request,
                         "%s %s HTTP/1.1\r\nHost: sidelock\r\nContent-Type: application/json\r\n"
                         "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                         method, path, body.length);
    if (body.length > 0)
        buffer_append(&request, body.data, body.length);
    if (buffer_failed(&request))
        code = fail(gate, EX_DATAERR, "the request is too large");
    else
        code = exchange(gate, (struct span){request.data, request.length}, &raw);
    if (code == EX_OK)
        code = read_answer(gate, &raw, answer);
    buffer_wipe(&request);
    buffer_wipe(&raw);
    return code;
}

static int call_json(struct gate *gate, const char *method, json_t *body, const char *format,
                     va_list arguments, struct buffer *answer) PRINTF_LIKE(4, 0);

/* The body is taken over; the path's arguments are the caller's. */
static int call_json(struct gate *gate, const char *method, json_t *body, const char *format,
                     va_list arguments, struct buffer *answer)
{
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    char path[GATE_PATH_BYTES_MAX];
    int code;

    buffer_init(answer, GATE_ANSWER_BYTES_MAX);
    vsnprintf(path, sizeof(path), format, arguments);
    if (body != NULL && text == NULL)
        code = fail(gate, EX_OSERR, "out of memory");
    else
        code = gate_call(gate, method, path, span_of(text), answer);
    json_decref(body);
    free(text);
    return code;
}

static int parse(const struct gate *gate, const struct buffer *answer, json_t **out)
{
    *out = json_loadb(answer->data, answer->length, JSON_REJECT_DUPLICATES, NULL);
    return *out != NULL ? EX_OK
                        : fail(gate, EX_PROTOCOL, "the answer of the running Sidelock is not JSON");
}

int gate_ask(struct gate *gate, const char *method, json_t *body, json_t **answer, const char *path,
             ...)
{
    struct buffer bytes;
    va_list arguments;
    int code;

    va_start(arguments, path);
    code = call_json(gate, method, body, path, arguments, &bytes);
    va_end(arguments);
    if (code == EX_OK && answer != NULL)
        code = parse(gate, &bytes, answer);
    buffer_wipe(&bytes);
    return code;
}

int gate_print(const struct gate *gate, const struct buffer *answer,
               int (*print)(const json_t *answer))
{
    json_t *root;
    int code;

    if (gate->json) {
        shown_document(stdout, answer->data, answer->length);
        return EX_OK;
    }
    if (print == NULL)
        return EX_OK;
    code = parse(gate, answer, &root);
    if (code == EX_OK)
        code = print(root);
    json_decref(root);
    return code;
}

int gate_show(struct gate *gate, const char *method, json_t *body,
              int (*print)(const json_t *answer), const char *path, ...)
{
    struct buffer bytes;
    va_list arguments;
    int code;

    va_start(arguments, path);
    code = call_json(gate, method, body, path, arguments, &bytes);
    va_end(arguments);
    if (code == EX_OK)
        code = gate_print(gate, &bytes, print);
    buffer_wipe(&bytes);
    return code;
}

/* Appends the next page of a list to it; *next is where the one after it begins, "": none does. */
static int add_page(struct gate *gate, const char *path, const char *member, json_t *list,
                    char next[GATE_CURSOR_BYTES_MAX])
{
    json_t *page = NULL;
    const char *after;
    int code =
        gate_ask(gate, "GET", NULL, &page, "%s%s%s", path, next[0] != '\0' ? "?after=" : "", next);

    if (code != EX_OK)
        return code;
    if (json_array_extend(list, json_object_get(page, member)) != 0)
        code = args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no %s", member);
    after = json_string_value(json_object_get(page, "next"));
    if (after != NULL && (strlen(after) >= GATE_CURSOR_BYTES_MAX || strcmp(after, next) == 0))
        code = args_fail(EX_PROTOCOL, "the running Sidelock tells no next page that can be");
    else
        snprintf(next, GATE_CURSOR_BYTES_MAX, "%s", after != NULL ? after : "");
    json_decref(page);
    return code;
}

int gate_list(struct gate *gate, const char *path, const char *member,
              int (*print)(const json_t *answer))
{
    char next[GATE_CURSOR_BYTES_MAX] = "";
    json_t *list = json_array();
    struct buffer bytes;
    int code;

    do
        code = add_page(gate, path, member, list, next);
    while (code == EX_OK && next[0] != '\0');
    buffer_init(&bytes, GATE_LIST_BYTES_MAX);
    if (code == EX_OK && json_append(&bytes, json_pack("{s:O}", member, list)) != OK)
        code = args_fail(EX_OSERR, "out of memory");
    buffer_append_text(&bytes, "\n");
    if (code == EX_OK)
        code = gate_print(gate, &bytes, print);
    buffer_clear(&bytes);
    json_decref(list);
    return code;
}

int gate_print_member(const json_t *answer, const char *name)
{
    const char *text = json_string_value(json_object_get(answer, name));

    if (text == NULL)
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock has no %s", name);
    puts(text);
    return EX_OK;
}
