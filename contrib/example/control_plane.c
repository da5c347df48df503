/*
 * A small control plane with the hole that Sidelock closes, for contrib/quickstart:
 *
 *     control_plane [--ready-fd N] SOCKET
 *
 * It serves /api/mcp/ws/{sid}?server_params=BASE64 on a Unix socket, decodes the
 * query and starts what it says, as AutoGen Studio did. Nobody is asked for a
 * credential. The process is the tool server: `call_tool`, whatever the tool,
 * writes the arguments to it as one line and answers with the line that comes
 * back. With `cat` as the command every tool is an echo.
 *
 * On standard output: a line for each request and each process started. Run it
 * only in a directory that nobody else can enter.
 */
#include "base/buffer.h"
#include "base/text.h"
#include "example/ws_peer.h"
#include "wire/http_request.h"
#include "wire/url.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define ROUTE            "/api/mcp/ws/"
#define CONNECTIONS_MAX  16
#define PATH_BYTES       1024
#define ARGUMENTS_MAX    32
#define LINE_BYTES_MAX   65536
#define HANDSHAKE_WAIT_S 10
#define TOOL_WAIT_MS     5000
#define FAILED_TO_RUN    127

/* One connection and the process it had started. */
struct session {
    struct ws_peer peer;
    char id[PATH_BYTES];
    json_t *params; /* what the query said */
    pid_t tool;
    int to_tool, from_tool;
};

/* --- the request --- */

static int sextet(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c != '\0' ? strchr(alphabet, c) : NULL;

    return found != NULL ? (int)(found - alphabet) : -1;
}

/* Decodes standard base64 (RFC 4648 section 4) in place; returns the length, -1 for a fault. */
static ssize_t decode_base64(char *text)
{
    size_t length = strcspn(text, "="), out = 0;
    unsigned bits = 0, count = 0;

    for (size_t i = 0; i < length; i++) {
        int value = sextet(text[i]);

        if (value < 0)
            return -1;
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            text[out++] = (char)(bits >> count & 0xff);
        }
    }
    return (ssize_t)out;
}

/* The server_params of a query; NULL if they are missing or not base64 of a JSON object. */
static json_t *read_params(struct span query)
{
    char text[HTTP_HEAD_BYTES_MAX];
    struct span name, value;

    while (url_query_next(&query, &name, &value)) {
        ssize_t length;

        if (!span_equals(name, "server_params"))
            continue;
        if (url_query_decode(value, text, sizeof(text)) != OK)
            return NULL;
        length = decode_base64(text);
        return length < 0 ? NULL : json_loadb(text, (size_t)length, 0, NULL);
    }
    return NULL;
}

static enum error refuse(int fd, const char *status)
{
    char answer[128];
    int length = snprintf(answer, sizeof(answer),
                          "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);

    (void)!ws_peer_write(fd, answer, (size_t)length);
    return ERROR_DENIED;
}

static enum error accept_upgrade(int fd, struct span key)
{
    char accept[WS_ACCEPT_SIZE], text[WS_KEY_SIZE], answer[256];
    int length;

    snprintf(text, sizeof(text), "%.*s", (int)key.length, key.data);
    ws_accept_of(text, accept);
    length = snprintf(answer, sizeof(answer),
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                      accept);
    return ws_peer_write(fd, answer, (size_t)length);
}

static enum error answer_request(struct session *session, const struct http_request *request)
{
    int fd = session->peer.fd;
    struct span key;

    printf("asked %.*s%s%.*s\n", (int)request->path.length, request->path.data,
           request->query.data != NULL ? "?" : "", (int)request->query.length,
           request->query.data != NULL ? request->query.data : "");
    if (url_path_decode(request->path, session->id, sizeof(session->id)) != OK ||
        strncmp(session->id, ROUTE, strlen(ROUTE)) != 0)
        return refuse(fd, "404 Not Found");
    memmove(session->id, session->id + strlen(ROUTE), strlen(session->id + strlen(ROUTE)) + 1);
    if (!http_request_has_token(request, "Upgrade", "websocket") ||
        http_request_single(request, "Sec-WebSocket-Key", &key) != REASON_ALLOWED ||
        key.length != WS_KEY_SIZE - 1)
        return refuse(fd, "400 Bad Request");
    session->params = read_params(request->query);
    return accept_upgrade(fd, key);
}

static enum error handshake(struct session *session)
{
    struct timeval wait = {.tv_sec = HANDSHAKE_WAIT_S}, forever = {0};
    struct buffer *input = &session->peer.input;
    enum http_progress progress = HTTP_MORE;
    struct http_request request;
    enum reason reason;
    enum error error;

    setsockopt(session->peer.fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    while (progress == HTTP_MORE) {
        error = ws_peer_read(session->peer.fd, input);
        if (error != OK)
            return error;
        progress = http_request_parse(input->data, input->length, &request, &reason);
    }
    if (progress == HTTP_FAULT)
        return refuse(session->peer.fd, "400 Bad Request");
    error = answer_request(session, &request);
    if (error == OK)
        ws_peer_consume(input, request.head_bytes);
    setsockopt(session->peer.fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
    return error;
}

/* --- the process --- */

static void run_tool(char *const *arguments, int input, int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
        execvp(arguments[0], arguments);
    fprintf(stderr, "control_plane: %s: %s\n", arguments[0], strerror(errno));
    _exit(FAILED_TO_RUN);
}

static enum error start_tool(struct session *session, char *const *arguments)
{
    int input[2], output[2];

    if (pipe2(input, O_CLOEXEC) != 0)
        return ERROR_IO;
    if (pipe2(output, O_CLOEXEC) != 0) {
        close(input[0]);
        close(input[1]);
        return ERROR_IO;
    }
    session->tool = fork();
    if (session->tool == 0)
        run_tool(arguments, input[0], output[1]);
    close(input[0]);
    close(output[1]);
    session->to_tool = input[1];
    session->from_tool = output[0];
    return session->tool > 0 ? OK : ERROR_IO;
}

/* The hole: what the query said is started, with the rights of whoever runs this. */
static enum error launch(struct session *session)
{
    const char *command = json_string_value(json_object_get(session->params, "command"));
    const json_t *list = json_object_get(session->params, "args");
    char *arguments[ARGUMENTS_MAX + 2] = {NULL};
    char *line;

    if (command == NULL || json_array_size(list) > ARGUMENTS_MAX)
        return ERROR_INVALID;
    arguments[0] = (char *)command;
    for (size_t i = 0; i < json_array_size(list); i++) {
        arguments[i + 1] = (char *)json_string_value(json_array_get(list, i));
        if (arguments[i + 1] == NULL)
            return ERROR_INVALID;
    }
    line = json_dumps(session->params, JSON_COMPACT);
    printf("launched %s\n", line != NULL ? line : command);
    free(line);
    return start_tool(session, arguments);
}

/* One line of the process's output into `out`; what it wrote after that is dropped. */
static enum error read_line(const struct session *session, struct buffer *out)
{
    struct pollfd item = {.fd = session->from_tool, .events = POLLIN};

    for (;;) {
        char *room = buffer_reserve(out, LINE_BYTES_MAX / 16);
        char *end;
        ssize_t got;

        if (room == NULL)
            return ERROR_LIMIT;
        if (poll(&item, 1, TOOL_WAIT_MS) <= 0)
            return ERROR_TIMEOUT;
        got = read(session->from_tool, room, LINE_BYTES_MAX / 16);
        if (got <= 0)
            return ERROR_IO;
        buffer_commit(out, (size_t)got);
        end = memchr(room, '\n', (size_t)got);
        if (end != NULL) {
            out->length = (size_t)(end - out->data);
            return OK;
        }
    }
}

/* Hands the arguments to the process; its answer, or NULL. */
static json_t *use_tool(const struct session *session, const json_t *arguments)
{
    char *text = arguments != NULL ? json_dumps(arguments, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_t *answer = NULL;
    struct buffer line;

    if (text == NULL)
        return NULL;
    buffer_init(&line, LINE_BYTES_MAX);
    if (dprintf(session->to_tool, "%s\n", text) > 0 && read_line(session, &line) == OK)
        answer = json_pack("{s:[{s:s, s:s%}]}", "content", "type", "text", "text", line.data,
                           line.length);
    buffer_clear(&line);
    free(text);
    return answer;
}

/* --- messages --- */

/* Sends `message` and gives it up. */
static enum error send_json(struct session *session, json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    enum error error = text != NULL ? ws_peer_send(&session->peer, span_of(text)) : ERROR_MEMORY;

    free(text);
    json_decref(message);
    return error;
}

static json_t *operate(const struct session *session, const json_t *message, const char *operation)
{
    const char *tool = json_string_value(json_object_get(message, "tool_name"));

    if (strcmp(operation, "list_tools") == 0)
        return json_pack("{s:[{s:s}, {s:s}]}", "tools", "name", "echo", "name", "shell");
    if (strcmp(operation, "call_tool") == 0 && tool != NULL)
        return use_tool(session, json_object_get(message, "arguments"));
    return NULL;
}

static enum error answer_message(struct session *session, const json_t *message)
{
    const char *type = json_string_value(json_object_get(message, "type"));
    const char *operation = json_string_value(json_object_get(message, "operation"));
    json_t *data;

    if (type != NULL && strcmp(type, "ping") == 0)
        return send_json(session, json_pack("{s:s}", "type", "pong"));
    if (type == NULL || strcmp(type, "operation") != 0 || operation == NULL)
        return send_json(session,
                         json_pack("{s:s, s:s}", "type", "error", "error", "no such message"));
    data = operate(session, message, operation);
    if (data == NULL)
        return send_json(session, json_pack("{s:s, s:s, s:s}", "type", "operation_error",
                                            "operation", operation, "error", "the tool failed"));
    return send_json(session, json_pack("{s:s, s:s, s:o}", "type", "operation_result", "operation",
                                        operation, "data", data));
}

static enum error converse(struct session *session)
{
    enum error error = launch(session);

    if (error != OK) {
        error = send_json(session, json_pack("{s:s, s:s}", "type", "error", "error",
                                             "server_params cannot be launched"));
        return error == OK ? ws_peer_close(&session->peer, 1008) : error;
    }
    error = send_json(session, json_pack("{s:s, s:s, s:{}}", "type", "initialized", "session_id",
                                         session->id, "capabilities"));
    while (error == OK) {
        enum ws_peer_event event = ws_peer_next(&session->peer);
        json_t *message;

        if (event == WS_PEER_CLOSED || event == WS_PEER_FAULT)
            break;
        if (event == WS_PEER_MORE) {
            error = ws_peer_read(session->peer.fd, &session->peer.input);
            continue;
        }
        message = json_loadb(session->peer.message.data, session->peer.message.length, 0, NULL);
        error = answer_message(session, message);
        json_decref(message);
    }
    return error;
}

static void serve_connection(int fd)
{
    struct session session = {.to_tool = -1, .from_tool = -1};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ws_peer_init(&session.peer, fd, true);
    if (handshake(&session) == OK)
        (void)!converse(&session);
    if (session.tool > 0) {
        kill(session.tool, SIGKILL);
        waitpid(session.tool, NULL, 0);
    }
    json_decref(session.params);
    ws_peer_clear(&session.peer);
}

/* --- the service --- */

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "control_plane: the socket's path is longer than %zu bytes: %s\n",
                sizeof(address.sun_path) - 1, path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    umask(077);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, CONNECTIONS_MAX) != 0) {
        fprintf(stderr, "control_plane: cannot listen on %s: %s\n", path, strerror(errno));
        return -1;
    }
    return fd;
}

/* A process for each connection; waits while there are as many as may be. */
static int serve(int listener)
{
    size_t count = 0;

    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pid_t child;

        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            return EX_OSERR;
        if (fd < 0)
            continue;
        while (count > 0 && waitpid(-1, NULL, count < CONNECTIONS_MAX ? WNOHANG : 0) > 0)
            count--;
        child = fork();
        if (child == 0) {
            close(listener);
            serve_connection(fd);
            exit(EX_OK);
        }
        if (child > 0)
            count++;
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static const char ready[] = "ready\n";
    bool named = argc == 4 && strcmp(argv[1], "--ready-fd") == 0;
    int ready_fd = named ? (int)strtol(argv[2], NULL, 10) : -1;
    int listener;

    if (argc != 2 && !named) {
        fputs("usage: control_plane [--ready-fd N] SOCKET\n", stderr);
        return EX_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    listener = listen_on(argv[argc - 1]);
    if (listener < 0)
        return EX_UNAVAILABLE;
    if (named && (write(ready_fd, ready, sizeof(ready) - 1) < 0 || close(ready_fd) != 0)) {
        fprintf(stderr, "control_plane: descriptor %d cannot be written: %s\n", ready_fd,
                strerror(errno));
        return EX_USAGE;
    }
    return serve(listener);
}
