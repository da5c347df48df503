/*
 * A WebSocket client for a terminal and for scripts:
 *
 *     ws_talk [--header 'Name: value']... [--token-file FILE] [--until TEXT] TARGET
 *
 * TARGET is ws://HOST:PORT/PATH, where HOST is localhost or a literal address,
 * or unix:SOCKET:/PATH. Each line of standard input is sent as a text message,
 * and each message that arrives is printed as a line. The connection is closed
 * at the end of input or, with --until, when a message that contains TEXT has
 * arrived.
 *
 * --token-file sends what the file holds as a bearer token. A token on the
 * command line could be read by every process on the machine:
 *     ws_talk --token-file <(sidelock session create SURFACE) TARGET
 *
 * Exits with 0 after a normal close; with 1 if the upgrade was refused (HTTP
 * status and body on standard error) or the peer ended the connection.
 */
#include "base/buffer.h"
#include "base/secret.h"
#include "base/text.h"
#include "example/ws_peer.h"
#include "wire/http_response.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define HANDSHAKE_WAIT_S   15
#define CLOSE_WAIT_MS      5000
#define HEADERS_MAX        16
#define TOKEN_BYTES_MAX    8192
#define HOST_BYTES_MAX     256
#define BODY_BYTES_MAX     65536
#define SENTENCE_BYTES_MAX 512
#define READ_BYTES         16384

struct options {
    const char *headers[HEADERS_MAX];
    size_t header_count;
    const char *token_file;
    const char *until; /* NULL: the end of input */
    const char *target;
};

struct talk {
    struct ws_peer peer;
    struct buffer lines; /* of standard input, not yet sent */
    const char *until;   /* what the last message contains; NULL: the end of input decides */
    bool input_ended;
};

static int fail(int code, const char *format, ...) PRINTF_LIKE(2, 3);

static int fail(int code, const char *format, ...)
{
    char text[SENTENCE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "ws_talk: %s\n", text);
    return code;
}

/* --- where to --- */

/* Connects `fd`; returns it, or closes it and returns -1 with errno set. */
static int connect_to(int fd, const struct sockaddr *address, socklen_t length)
{
    int error;

    if (fd < 0 || connect(fd, address, length) == 0)
        return fd;
    error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int connect_unix(struct span path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (path.length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path.data, path.length);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return connect_to(fd, (const struct sockaddr *)&address, sizeof(address));
}

/* Only literal addresses: `localhost` must not depend on what a resolver says. */
static int connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    int fd;

    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    fd = connect_to(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), found->ai_addr,
                    found->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

/* Splits "HOST:PORT" or "[HOST]:PORT" in place; false if it is neither. */
static bool split_authority(char *authority, char **host, char **port)
{
    char *colon = strrchr(authority, ':');

    if (colon == NULL || colon == authority)
        return false;
    *colon = '\0';
    *host = authority;
    *port = colon + 1;
    if (authority[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        (*host)++;
    }
    return **port != '\0';
}

/* Connects to the target; its Host header and path into `host` and `path`. */
static int open_target(const char *target, char host[HOST_BYTES_MAX], const char **path)
{
    char authority[HOST_BYTES_MAX], *name, *port;
    size_t length;

    if (strncmp(target, "unix:", 5) == 0) {
        target += 5;
        length = strcspn(target, ":");
        snprintf(host, HOST_BYTES_MAX, "localhost");
        *path = target[length] == ':' ? target + length + 1 : "";
        return **path == '/' ? connect_unix((struct span){target, length}) : -1;
    }
    if (strncmp(target, "ws://", 5) != 0) {
        errno = EINVAL;
        return -1;
    }
    target += 5;
    length = strcspn(target, "/");
    if (length >= sizeof(authority) || target[length] == '\0') {
        errno = EINVAL;
        return -1;
    }
    snprintf(authority, sizeof(authority), "%.*s", (int)length, target);
    snprintf(host, HOST_BYTES_MAX, "%s", authority);
    *path = target + length;
    if (!split_authority(authority, &name, &port)) {
        errno = EINVAL;
        return -1;
    }
    return connect_tcp(name, port);
}

/* --- the upgrade --- */

static int append_token(const char *file, struct buffer *out)
{
    char token[TOKEN_BYTES_MAX];
    FILE *stream = fopen(file, "re");
    bool read = stream != NULL && fgets(token, sizeof(token), stream) != NULL;

    if (stream != NULL)
        fclose(stream);
    if (!read)
        return fail(EX_NOINPUT, "no token could be read from %s", file);
    token[strcspn(token, "\r\n")] = '\0';
    buffer_append_format(out, "Authorization: Bearer %s\r\n", token);
    secret_wipe(token, sizeof(token));
    return EX_OK;
}

static int send_request(int fd, const struct options *options, const char *host, const char *path,
                        const char *key)
{
    struct buffer request;
    int code = EX_OK;

    buffer_init(&request, HTTP_HEAD_BYTES_MAX);
    buffer_append_format(&request,
                         "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: %s\r\n",
                         path, host, key);
    for (size_t i = 0; i < options->header_count; i++)
        buffer_append_format(&request, "%s\r\n", options->headers[i]);
    if (options->token_file != NULL)
        code = append_token(options->token_file, &request);
    buffer_append_text(&request, "\r\n");
    if (code == EX_OK && buffer_failed(&request))
        code = fail(EX_USAGE, "the request is larger than %d bytes", HTTP_HEAD_BYTES_MAX);
    if (code == EX_OK && ws_peer_write(fd, request.data, request.length) != OK)
        code = fail(EX_IOERR, "the request could not be sent: %s", strerror(errno));
    buffer_wipe(&request);
    return code;
}

/* Prints the status and the body, up to the end of the connection. */
static int report_refusal(int fd, const struct http_response *response, const struct buffer *head)
{
    struct buffer body;

    buffer_init(&body, BODY_BYTES_MAX);
    buffer_append(&body, head->data + response->head_bytes, head->length - response->head_bytes);
    while (ws_peer_read(fd, &body) == OK)
        ;
    fail(1, "refused with HTTP %u", response->status);
    if (body.length > 0)
        fprintf(stderr, "%.*s%s", (int)body.length, body.data,
                body.data[body.length - 1] == '\n' ? "" : "\n");
    buffer_clear(&body);
    return 1;
}

static int read_response(struct ws_peer *peer, const char *key)
{
    enum http_progress progress = HTTP_MORE;
    struct http_response response;
    char accept[WS_ACCEPT_SIZE];
    struct span value;
    enum reason reason;

    while (progress == HTTP_MORE) {
        if (ws_peer_read(peer->fd, &peer->input) != OK)
            return fail(EX_IOERR, "no answer: %s", strerror(errno));
        progress = http_response_parse(peer->input.data, peer->input.length, &response, &reason);
    }
    if (progress == HTTP_FAULT)
        return fail(EX_PROTOCOL, "the answer is not HTTP/1.1");
    if (response.status != 101)
        return report_refusal(peer->fd, &response, &peer->input);
    ws_accept_of(key, accept);
    if (http_response_single(&response, "Sec-WebSocket-Accept", &value) != REASON_ALLOWED ||
        !span_equals(value, accept))
        return fail(EX_PROTOCOL, "the answer does not accept a WebSocket");
    ws_peer_consume(&peer->input, response.head_bytes);
    return EX_OK;
}

static int upgrade(struct ws_peer *peer, const struct options *options, const char *host,
                   const char *path)
{
    struct timeval wait = {.tv_sec = HANDSHAKE_WAIT_S}, forever = {0};
    unsigned char random[16];
    char key[WS_KEY_SIZE];
    int code;

    if (secret_random(random, sizeof(random)) != OK)
        return fail(EX_OSERR, "no random bytes");
    text_base64(random, sizeof(random), key);
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    code = send_request(peer->fd, options, host, path, key);
    if (code == EX_OK)
        code = read_response(peer, key);
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
    return code;
}

/* --- the conversation --- */

static enum error send_lines(struct talk *talk)
{
    enum error error = OK;
    char *end;

    while (error == OK && talk->lines.length > 0 &&
           (end = memchr(talk->lines.data, '\n', talk->lines.length)) != NULL) {
        struct span line = {talk->lines.data, (size_t)(end - talk->lines.data)};

        if (line.length > 0)
            error = ws_peer_send(&talk->peer, line);
        ws_peer_consume(&talk->lines, line.length + 1);
    }
    return error;
}

static enum error read_input(struct talk *talk)
{
    char *room = buffer_reserve(&talk->lines, READ_BYTES);
    ssize_t got = room != NULL ? read(STDIN_FILENO, room, READ_BYTES) : -1;

    if (room == NULL)
        return ERROR_LIMIT;
    if (got > 0)
        buffer_commit(&talk->lines, (size_t)got);
    talk->input_ended = got <= 0;
    if (talk->input_ended && talk->lines.length > 0)
        buffer_append_text(&talk->lines, "\n");
    return send_lines(talk);
}

static bool is_last(const struct talk *talk)
{
    const struct buffer *message = &talk->peer.message;

    return talk->until != NULL && message->length > 0 &&
           memmem(message->data, message->length, talk->until, strlen(talk->until)) != NULL;
}

/* Prints what has arrived whole. WS_PEER_MORE, or how the connection ended. */
static enum ws_peer_event print_messages(struct talk *talk)
{
    enum ws_peer_event event;

    while ((event = ws_peer_next(&talk->peer)) == WS_PEER_MESSAGE) {
        if (talk->peer.message.length > 0)
            fwrite(talk->peer.message.data, 1, talk->peer.message.length, stdout);
        putchar('\n');
        fflush(stdout);
        if (is_last(talk) && ws_peer_close(&talk->peer, 1000) != OK)
            return WS_PEER_FAULT;
    }
    return event;
}

/* Waits for either side; ERROR_TIMEOUT if the peer does not answer our Close. */
static enum error step(struct talk *talk)
{
    bool reading = !talk->input_ended && !talk->peer.close_sent;
    struct pollfd items[] = {{.fd = talk->peer.fd, .events = POLLIN},
                             {.fd = reading ? STDIN_FILENO : -1, .events = POLLIN}};
    int ready = poll(items, 2, talk->peer.close_sent ? CLOSE_WAIT_MS : -1);
    enum error error = OK;

    if (ready == 0)
        return ERROR_TIMEOUT;
    if (ready < 0)
        return errno == EINTR ? OK : ERROR_IO;
    if (items[0].revents != 0)
        error = ws_peer_read(talk->peer.fd, &talk->peer.input);
    if (error == OK && items[1].revents != 0)
        error = read_input(talk);
    if (error == OK && talk->input_ended && talk->until == NULL)
        error = ws_peer_close(&talk->peer, 1000);
    return error;
}

static int converse(struct talk *talk)
{
    enum ws_peer_event event = print_messages(talk);
    enum error error = OK;

    while (event == WS_PEER_MORE && error == OK) {
        bool ours;

        error = step(talk);
        ours = talk->peer.close_sent;
        event = print_messages(talk);
        if (event == WS_PEER_CLOSED && ours)
            return EX_OK;
    }
    if (event == WS_PEER_CLOSED)
        return fail(talk->peer.close_code == 1000 ? EX_OK : 1, "closed: %u %s",
                    talk->peer.close_code, talk->peer.close_reason);
    if (event == WS_PEER_FAULT)
        return fail(EX_PROTOCOL, "the peer broke the protocol");
    return fail(EX_IOERR, "the connection broke: %s", error_text(error));
}

static int run(const struct options *options)
{
    struct talk talk = {.until = options->until};
    char host[HOST_BYTES_MAX];
    const char *path = "";
    int fd, code;

    errno = EINVAL;
    fd = open_target(options->target, host, &path);
    if (fd < 0)
        return fail(EX_UNAVAILABLE, "cannot connect to %s: %s", options->target, strerror(errno));
    ws_peer_init(&talk.peer, fd, false);
    buffer_init(&talk.lines, WS_PEER_MESSAGE_BYTES_MAX);
    code = upgrade(&talk.peer, options, host, path);
    if (code == EX_OK)
        code = converse(&talk);
    ws_peer_clear(&talk.peer);
    buffer_clear(&talk.lines);
    close(fd);
    return code;
}

static bool parse_option(struct options *options, const char *name, const char *value)
{
    if (strcmp(name, "--header") == 0) {
        if (options->header_count == HEADERS_MAX || strpbrk(value, "\r\n") != NULL)
            return false;
        options->headers[options->header_count++] = value;
        return true;
    }
    if (strcmp(name, "--token-file") == 0) {
        options->token_file = value;
        return true;
    }
    if (strcmp(name, "--until") == 0) {
        options->until = value;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int i = 1;

    while (i + 1 < argc && strncmp(argv[i], "--", 2) == 0) {
        if (!parse_option(&options, argv[i], argv[i + 1]))
            break;
        i += 2;
    }
    if (i != argc - 1 || strncmp(argv[i], "--", 2) == 0) {
        fputs("usage: ws_talk [--header 'Name: value']... [--token-file FILE] [--until TEXT]\n"
              "               ws://HOST:PORT/PATH | unix:SOCKET:/PATH\n",
              stderr);
        return EX_USAGE;
    }
    options.target = argv[i];
    return run(&options);
}
