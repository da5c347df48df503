#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ID_DIGITS      12
#define ID_FIRST       100000000000ULL /* all ids have the same length */
#define ID_PER_CLIENT  100000000ULL
#define TOOL_BYTES_MAX 32

static const char request_head[] = "{\"jsonrpc\":\"2.0\",\"id\":";
static const char request_method[] = ",\"method\":\"tools/call\",\"params\":{\"name\":\"";
static const char request_argument[] = "\",\"arguments\":{\"message\":\"";
static const char request_tail[] = "\"}}}";
static const char filler[] = "the quick brown fox jumps over the lazy dog, ";

uint64_t client_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static int connect_target(const struct client_target *target)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)target->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr *address = (const struct sockaddr *)&loopback;
    socklen_t length = sizeof loopback;
    if (target->socket_path != NULL) {
        if (strlen(target->socket_path) >= sizeof local.sun_path) {
            return -1;
        }
        memcpy(local.sun_path, target->socket_path, strlen(target->socket_path) + 1);
        address = (const struct sockaddr *)&local;
        length = sizeof local;
    }
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    struct timeval timeout = {.tv_sec = CLIENT_HANDSHAKE_TIMEOUT_S};
    int on = 1;
    if (target->socket_path == NULL) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0 ||
        connect(fd, address, length) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static bool send_upgrade(int fd, const struct client_target *target, const char *key)
{
    char request[CLIENT_TOKEN_BYTES_MAX + 1024];
    int length = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: localhost:%u\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: mcp\r\n%s%s%s\r\n",
        target->path, target->port, key, target->token != NULL ? "Authorization: Bearer " : "",
        target->token != NULL ? target->token : "", target->token != NULL ? "\r\n" : "");
    return length > 0 && (size_t)length < sizeof request &&
           write(fd, request, (size_t)length) == length;
}

/* Reads up to the end of the response's head; the rest stays in client->bytes. 0: no proper one. */
static unsigned read_upgrade(struct client *client, const char *key)
{
    char *head = (char *)client->bytes;
    char *end = NULL;
    size_t have = 0;
    while (end == NULL) {
        ssize_t got = read(client->fd, head + have, CLIENT_BUFFER_BYTES - 1 - have);
        if (got <= 0) {
            return 0;
        }
        have += (size_t)got;
        head[have] = '\0';
        end = strstr(head, "\r\n\r\n");
    }
    if (strncmp(head, "HTTP/1.", 7) != 0 || have < 12) {
        return 0;
    }
    unsigned status = (unsigned)strtoul(head + 9, NULL, 10);
    char accept[WS_ACCEPT_CHARS + 1];
    ws_accept_key(key, accept);
    if (status == 101 && strstr(head, accept) == NULL) {
        return 0;
    }
    size_t head_bytes = (size_t)(end + 4 - head);
    client->have = have - head_bytes;
    memmove(client->bytes, client->bytes + head_bytes, client->have);
    return status;
}

unsigned client_open(struct client *client, const struct client_target *target, unsigned number)
{
    uint8_t random[16];
    char key[WS_KEY_CHARS + 1];
    *client = (struct client){.fd = -1, .id = ID_FIRST + number * ID_PER_CLIENT};
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        return 0;
    }
    ws_random_key(random, key);
    memcpy(&client->mask, random, sizeof client->mask);
    client->mask |= 1; /* never zero: xorshift would stay there */
    client->fd = connect_target(target);
    if (client->fd < 0) {
        (void)fprintf(stderr, "bench_load: cannot connect: %s\n", strerror(errno));
        return 0;
    }
    unsigned status = 0;
    if (send_upgrade(client->fd, target, key)) {
        status = read_upgrade(client, key);
    }
    if (status == 0) {
        (void)fprintf(stderr, "bench_load: no proper answer to the upgrade\n");
    }
    if (status != 101 || fcntl(client->fd, F_SETFL, O_NONBLOCK) != 0) {
        client_close(client);
    }
    return status;
}

void client_close(struct client *client)
{
    if (client->fd >= 0) {
        (void)close(client->fd);
        client->fd = -1;
    }
}

static uint32_t next_mask(struct client *client)
{
    uint32_t mask = client->mask;
    mask ^= mask << 13;
    mask ^= mask >> 17;
    mask ^= mask << 5;
    client->mask = mask;
    return mask;
}

static char *append(char *at, const char *text)
{
    return mempcpy(at, text, strlen(text));
}

static char *append_id(char *at, uint64_t id)
{
    for (unsigned i = ID_DIGITS; i > 0; i--) {
        at[i - 1] = (char)('0' + id % 10);
        id /= 10;
    }
    return at + ID_DIGITS;
}

static bool write_frame(struct client *client, enum ws_opcode opcode, const void *payload,
                        size_t length)
{
    uint8_t frame[CLIENT_BUFFER_BYTES + WS_HEADER_BYTES_MAX];
    size_t frame_bytes = ws_write_frame(frame, opcode, payload, length, next_mask(client));
    return write(client->fd, frame, frame_bytes) == (ssize_t)frame_bytes;
}

bool client_send(struct client *client, const char *tool)
{
    char message[CLIENT_MESSAGE_BYTES];
    if (strlen(tool) > TOOL_BYTES_MAX) {
        return false;
    }
    char *at = append_id(append(message, request_head), ++client->id);
    at = append(append(append(at, request_method), tool), request_argument);
    char *tail = message + sizeof message - (sizeof request_tail - 1);
    for (size_t i = 0; at < tail; i++) {
        *at++ = filler[i % (sizeof filler - 1)];
    }
    memcpy(tail, request_tail, sizeof request_tail - 1);
    client->sent_ns = client_now_ns();
    return write_frame(client, WS_TEXT, message, sizeof message);
}

static enum client_event judge_answer(const struct client *client, const struct ws_frame *frame)
{
    char expected[sizeof request_head + ID_DIGITS + 16];
    char *end = append(append_id(append(expected, request_head), client->id), ",\"result\":");
    size_t length = (size_t)(end - expected);
    if (frame->length >= length && memcmp(frame->payload, expected, length) == 0) {
        return CLIENT_ANSWERED;
    }
    if (memmem(frame->payload, frame->length, "\"error\"", 7) != NULL) {
        return CLIENT_REFUSED;
    }
    (void)fprintf(stderr, "bench_load: an answer that belongs to no request: %.*s\n",
                  (int)frame->length, (const char *)frame->payload);
    return CLIENT_FAILED;
}

static enum client_event handle_frame(struct client *client, const struct ws_frame *frame)
{
    switch (frame->opcode) {
    case WS_TEXT:
        return judge_answer(client, frame);
    case WS_PING:
        return write_frame(client, WS_PONG, frame->payload, frame->length) ? CLIENT_WAITING
                                                                           : CLIENT_FAILED;
    case WS_PONG:
        return CLIENT_WAITING;
    case WS_CLOSE:
    default:
        (void)fprintf(stderr, "bench_load: the other side closes with %u\n",
                      frame->length >= 2 ? frame->payload[0] * 256U + frame->payload[1] : 1005U);
        return CLIENT_FAILED;
    }
}

enum client_event client_receive(struct client *client)
{
    ssize_t got =
        read(client->fd, client->bytes + client->have, sizeof client->bytes - client->have);
    if (got < 0 && errno == EAGAIN) {
        return CLIENT_WAITING;
    }
    if (got <= 0) {
        (void)fprintf(stderr, "bench_load: a connection ended without a close frame\n");
        return CLIENT_FAILED;
    }
    client->have += (size_t)got;
    enum client_event event = CLIENT_WAITING;
    size_t at = 0;
    while (event != CLIENT_FAILED) {
        struct ws_frame frame;
        size_t consumed = 0;
        enum ws_progress progress =
            ws_read_frame(client->bytes + at, client->have - at, false, &frame, &consumed);
        if (progress == WS_BAD) {
            (void)fprintf(stderr, "bench_load: a frame that is not whole and unmasked\n");
            return CLIENT_FAILED;
        }
        if (progress == WS_PARTIAL) {
            break;
        }
        at += consumed;
        enum client_event this_event = handle_frame(client, &frame);
        event = this_event == CLIENT_WAITING ? event : this_event;
    }
    client->have -= at;
    memmove(client->bytes, client->bytes + at, client->have);
    return event;
}
