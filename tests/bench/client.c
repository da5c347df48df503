#include "client.h"

#include "call.h"
#include "http.h"
#include "ws.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define ID_PER_CLIENT  100000000ULL
#define HEAD_BYTES_MAX (CLIENT_TOKEN_BYTES_MAX + 1024) /* of a request */
#define DRAIN_BYTES    262144

uint64_t client_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* A request's head with the fields given; its length, 0 if there is no room. */
static size_t write_head(char out[HEAD_BYTES_MAX], const struct client *client, const char *method,
                         const char *fields)
{
    bool has_token = client->token != NULL;
    int length =
        snprintf(out, HEAD_BYTES_MAX, "%s %s HTTP/1.1\r\nHost: localhost:%u\r\n%s%s%s%s\r\n",
                 method, client->target->path, client->target->stream.port, fields,
                 has_token ? "Authorization: Bearer " : "", has_token ? client->token : "",
                 has_token ? "\r\n" : "");
    return length > 0 && length < HEAD_BYTES_MAX ? (size_t)length : 0;
}

static bool write_whole(struct client *client, const void *bytes, size_t length)
{
    return stream_write(&client->stream, bytes, length) == (ssize_t)length;
}

static bool send_head(struct client *client, const char *fields)
{
    char head[HEAD_BYTES_MAX];
    size_t length = write_head(head, client, "GET", fields);
    return length > 0 && write_whole(client, head, length);
}

static bool send_upgrade(struct client *client, const char *key)
{
    char fields[256];
    (void)snprintf(fields, sizeof fields,
                   "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Protocol: mcp\r\n",
                   key);
    return send_head(client, fields);
}

static ssize_t read_more(struct client *client)
{
    return stream_read(&client->stream, client->bytes + client->have,
                       sizeof client->bytes - client->have);
}

/* Reads a whole head, blocking; what follows it stays in client->bytes after it. */
static bool read_head(struct client *client, struct http_head *head)
{
    enum http_progress progress = HTTP_PARTIAL;
    client->have = 0;
    while (progress == HTTP_PARTIAL) {
        ssize_t got = read_more(client);
        if (got <= 0) {
            return false;
        }
        client->have += (size_t)got;
        progress = http_read_head((const char *)client->bytes, client->have, head);
    }
    return progress == HTTP_WHOLE && head->status != 0;
}

static void take_bytes(struct client *client, size_t count)
{
    client->have -= count;
    memmove(client->bytes, client->bytes + count, client->have);
}

/* Asks for the upgrade; the status is the client's, 0 if the answer is no proper one. */
static void upgrade(struct client *client, const char *key)
{
    struct http_head head;
    if (!send_upgrade(client, key) || !read_head(client, &head)) {
        return;
    }
    char accept[WS_ACCEPT_CHARS + 1];
    ws_accept_key(key, accept);
    if (head.status != 101 ||
        memmem(client->bytes, head.head_bytes, accept, WS_ACCEPT_CHARS) != NULL) {
        client->status = head.status;
        take_bytes(client, head.head_bytes);
    }
}

static bool connect_client(struct client *client, const struct client_target *target,
                           const char *token)
{
    *client = (struct client){.target = target, .token = token};
    return stream_open(&client->stream, &target->stream);
}

bool client_open(struct client *client, const struct client_target *target, const char *token,
                 unsigned number)
{
    uint8_t random[16];
    char key[WS_KEY_CHARS + 1];
    if (!connect_client(client, target, token)) {
        return false;
    }
    client->id = CALL_ID_FIRST + number * ID_PER_CLIENT;
    if (!target->http) {
        if (getrandom(random, sizeof random, 0) != sizeof random) {
            client_close(client);
            return false;
        }
        memcpy(&client->mask, random, sizeof client->mask);
        client->mask |= 1; /* never zero: xorshift would stay there */
        ws_random_key(random, key);
        upgrade(client, key);
        if (client->status == 0) {
            (void)fprintf(stderr, "bench_load: no proper answer to the upgrade\n");
        }
    }
    if ((!target->http && client->status != 101) || !stream_unblock(&client->stream)) {
        client_close(client);
    }
    return client->stream.fd >= 0;
}

bool client_open_stream(struct client *client, const struct client_target *target,
                        const char *token)
{
    static const char event[] = "data: {";
    struct http_head head;
    if (!connect_client(client, target, token)) {
        return false;
    }
    bool open = send_head(client, "Accept: text/event-stream\r\n") && read_head(client, &head);
    client->status = open ? head.status : 0;
    open = client->status == 200;
    while (open && memmem(client->bytes, client->have, event, sizeof event - 1) == NULL) {
        ssize_t got = read_more(client);
        open = got > 0;
        client->have += open ? (size_t)got : 0;
    }
    if (!open) {
        (void)fprintf(stderr, "bench_load: no event in the answer to a GET, status %u\n",
                      client->status);
        client_close(client);
    }
    return open;
}

void client_close(struct client *client)
{
    stream_close(&client->stream);
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

static bool write_frame(struct client *client, enum ws_opcode opcode, const void *payload,
                        size_t length)
{
    uint8_t frame[CLIENT_BUFFER_BYTES + WS_HEADER_BYTES_MAX];
    size_t frame_bytes = ws_write_frame(frame, opcode, payload, length, next_mask(client));
    return write_whole(client, frame, frame_bytes);
}

static bool post(struct client *client, const char message[CALL_BYTES])
{
    char request[HEAD_BYTES_MAX + CALL_BYTES];
    char fields[256];
    bool in_session = client->session[0] != '\0';
    (void)snprintf(fields, sizeof fields,
                   "Content-Type: application/json\r\nContent-Length: %d\r\n"
                   "Accept: application/json, text/event-stream\r\n%s%s%s",
                   CALL_BYTES, in_session ? "Mcp-Session-Id: " : "", client->session,
                   in_session ? "\r\n" : "");
    size_t length = write_head(request, client, "POST", fields);
    if (length == 0) {
        return false;
    }
    memcpy(request + length, message, CALL_BYTES);
    length += CALL_BYTES;
    return write_whole(client, request, length);
}

/* All of it: the other side takes it meanwhile, and answers only what is whole. */
static bool write_large(struct client *client, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        struct pollfd writable = {.fd = client->stream.fd, .events = POLLOUT};
        ssize_t written = stream_write(&client->stream, bytes, length);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno != EAGAIN || poll(&writable, 1, STREAM_TIMEOUT_S * 1000) <= 0) {
            return false;
        }
    }
    return true;
}

/* The call, made longer, as one frame. */
static bool send_large(struct client *client, const char call[CALL_BYTES])
{
    static uint8_t frame[WS_HEADER_BYTES_MAX + CLIENT_REQUEST_BYTES_MAX];
    size_t length = client->target->request_bytes;
    uint32_t mask = next_mask(client);
    size_t header = ws_write_header(frame, WS_TEXT, length, mask);
    memcpy(frame + header, call, CALL_BYTES);
    call_lengthen((char *)frame + header, length);
    ws_apply_mask(frame + header, length, mask);
    return write_large(client, frame, header + length);
}

bool client_send(struct client *client)
{
    const struct client_target *target = client->target;
    char message[CALL_BYTES];
    client->id++;
    if (client->initializes) {
        call_write_initialize(message, client->id);
    } else if (!call_write(message, client->id, target->tool, target->result_bytes)) {
        return false;
    }
    client->sent_ns = client_now_ns();
    if (!target->http && target->request_bytes > 0) {
        return send_large(client, message);
    }
    return target->http ? post(client, message)
                        : write_frame(client, WS_TEXT, message, sizeof message);
}

static enum client_event judge_answer(const struct client *client, const void *answer,
                                      size_t length)
{
    switch (call_judge(answer, length, client->id)) {
    case CALL_RESULT:
        return CLIENT_ANSWERED;
    case CALL_ERROR:
        return CLIENT_REFUSED;
    case CALL_STRANGE:
    default:
        (void)fprintf(stderr, "bench_load: an answer that belongs to no request: %.*s\n",
                      (int)length, (const char *)answer);
        return CLIENT_FAILED;
    }
}

static enum client_event handle_frame(struct client *client, const struct ws_frame *frame)
{
    switch (frame->opcode) {
    case WS_TEXT:
        return judge_answer(client, frame->payload, frame->length);
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

/* The start of an answer that does not fit; the rest is only counted. */
static enum client_event take_large(struct client *client, size_t header, size_t payload_bytes)
{
    size_t body_bytes = client->have - header;
    if (client->have < sizeof client->bytes) {
        return CLIENT_WAITING;
    }
    client->body_left = payload_bytes - body_bytes;
    client->have = 0;
    enum client_event event = judge_answer(client, client->bytes + header, body_bytes);
    return event == CLIENT_ANSWERED ? CLIENT_WAITING : event;
}

/* The frames that have arrived. */
static enum client_event take_frames(struct client *client)
{
    size_t payload_bytes = 0;
    size_t header = ws_read_header(client->bytes, client->have, false, &payload_bytes);
    if (header > 0 && header + payload_bytes > sizeof client->bytes) {
        return take_large(client, header, payload_bytes);
    }
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
    take_bytes(client, at);
    return event;
}

/* The MCP session that an initialize has opened. */
static void take_session(struct client *client, const struct http_head *head)
{
    size_t length;
    const char *id = client->initializes ? http_field((const char *)client->bytes, head->head_bytes,
                                                      "Mcp-Session-Id", &length)
                                         : NULL;
    if (id != NULL && length < sizeof client->session) {
        memcpy(client->session, id, length);
        client->session[length] = '\0';
    }
}

/*
 * The start of an HTTP answer: its head and as much of its body as shows whose
 * it is. The rest is only counted.
 */
static enum client_event take_response(struct client *client)
{
    struct http_head head;
    const char *bytes = (const char *)client->bytes;
    enum http_progress progress = http_read_head(bytes, client->have, &head);
    size_t whole = progress == HTTP_WHOLE ? head.head_bytes + head.body_bytes : SIZE_MAX;
    if (progress == HTTP_BAD || (progress == HTTP_WHOLE && head.chunked)) {
        (void)fprintf(stderr, "bench_load: an answer that is not HTTP/1.1 with a Content-Length\n");
        return CLIENT_FAILED;
    }
    if (client->have < whole && client->have < sizeof client->bytes) {
        return CLIENT_WAITING;
    }
    if (progress == HTTP_PARTIAL || client->have > whole) {
        (void)fprintf(stderr, "bench_load: an answer with too long a head, or two at once\n");
        return CLIENT_FAILED;
    }
    size_t body_bytes = client->have - head.head_bytes;
    const char *body = bytes + head.head_bytes;
    client->status = head.status;
    client->have = 0;
    client->body_left = head.body_bytes - body_bytes;
    if (head.status != 200 && memmem(body, body_bytes, "\"jsonrpc\"", 9) == NULL) {
        return CLIENT_DENIED;
    }
    if (head.status == 200 && client->target->result_bytes > 0 &&
        head.body_bytes != client->target->result_bytes) {
        (void)fprintf(stderr, "bench_load: an answer of %zu bytes\n", head.body_bytes);
        return CLIENT_FAILED;
    }
    take_session(client, &head);
    enum client_event event = judge_answer(client, body, body_bytes);
    return event == CLIENT_ANSWERED && client->body_left > 0 ? CLIENT_WAITING : event;
}

/* Reads what is left of a body whose start was that of the result. */
static enum client_event drain_body(struct client *client)
{
    static uint8_t drain[DRAIN_BYTES];
    size_t most = client->body_left < sizeof drain ? client->body_left : sizeof drain;
    ssize_t got = stream_read(&client->stream, drain, most);
    if (got < 0 && errno == EAGAIN) {
        return CLIENT_WAITING;
    }
    if (got <= 0) {
        (void)fprintf(stderr, "bench_load: a connection ended within an answer\n");
        return CLIENT_FAILED;
    }
    client->body_left -= (size_t)got;
    return client->body_left == 0 ? CLIENT_ANSWERED : CLIENT_WAITING;
}

/* One read. */
static enum client_event receive_some(struct client *client)
{
    if (client->body_left > 0) {
        return drain_body(client);
    }
    ssize_t got = read_more(client);
    if (got < 0 && errno == EAGAIN) {
        return CLIENT_WAITING;
    }
    if (got <= 0) {
        (void)fprintf(stderr, "bench_load: a connection was closed\n");
        return CLIENT_FAILED;
    }
    client->have += (size_t)got;
    return client->target->http ? take_response(client) : take_frames(client);
}

enum client_event client_receive(struct client *client)
{
    enum client_event event;
    do {
        event = receive_some(client);
    } while (event == CLIENT_WAITING && stream_has_more(&client->stream));
    return event;
}

enum client_event client_call(struct client *client)
{
    enum client_event event = client_send(client) ? CLIENT_WAITING : CLIENT_FAILED;
    while (event == CLIENT_WAITING) {
        struct pollfd readable = {.fd = client->stream.fd, .events = POLLIN};
        if (poll(&readable, 1, STREAM_TIMEOUT_S * 1000) <= 0) {
            (void)fprintf(stderr, "bench_load: no answer for %d s\n", STREAM_TIMEOUT_S);
            return CLIENT_FAILED;
        }
        event = client_receive(client);
    }
    return event;
}

bool client_initialize(struct client *client)
{
    client->session[0] = '\0';
    client->initializes = true;
    enum client_event event = client_call(client);
    client->initializes = false;
    if (event != CLIENT_ANSWERED || client->session[0] == '\0') {
        (void)fprintf(stderr, "bench_load: no MCP session, status %u\n", client->status);
        return false;
    }
    return true;
}
