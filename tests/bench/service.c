/*
 * The service behind the proxies, on a Unix socket or a port of loopback. It answers each JSON-RPC
 * request with a result under the same id, of the size the request asks for or
 * of 300 bytes, and over HTTP an initialize with a new Mcp-Session-Id too. A GET that is no
 * upgrade opens a stream of events: one comes at once, and then it rests. The service
 * trusts its clients: all of them are ours.
 *
 *   bench_service SOCKET|PORT
 *
 * It prints one line when it listens, and runs until it is killed.
 */
#include "answer.h"
#include "call.h"
#include "http.h"
#include "ws.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_BYTES      300
#define PEERS_MAX         65536
#define PEER_BUFFER_BYTES 2048
#define SKIP_BYTES        262144
#define EVENTS_MAX        128
#define BACKLOG           4096

struct peer {
    int fd; /* owned */
    bool upgraded;
    bool answering; /* `answer` is not written whole */
    struct answer answer;
    size_t have;
    size_t left; /* of a request that does not fit, whose start is in `bytes`; 0: there is none */
    uint8_t bytes[PEER_BUFFER_BYTES];
};

/* By descriptor. Pages that no connection has used cost nothing. */
static struct peer peers[PEERS_MAX];

static bool write_all(int fd, const void *bytes, size_t length)
{
    return write(fd, bytes, length) == (ssize_t)length;
}

/* A result of exactly ANSWER_BYTES with the request's id. */
static bool answer_request(int fd, const struct ws_frame *request)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":";
    static const char middle[] = ",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"Echo: ";
    static const char tail[] = "\"}],\"isError\":false}}";
    static const char filler[] = "the quick brown fox jumps over the lazy dog, ";
    const char *id;
    size_t id_bytes;
    if (!call_read_number(request->payload, request->length, "id", &id, &id_bytes)) {
        return false;
    }
    char answer[ANSWER_BYTES];
    size_t at = sizeof head - 1;
    memcpy(answer, head, at);
    memcpy(answer + at, id, id_bytes);
    at += id_bytes;
    memcpy(answer + at, middle, sizeof middle - 1);
    at += sizeof middle - 1;
    for (size_t i = 0; at < sizeof answer - (sizeof tail - 1); i++) {
        answer[at++] = filler[i % (sizeof filler - 1)];
    }
    memcpy(answer + at, tail, sizeof tail - 1);
    uint8_t frame[ANSWER_BYTES + WS_HEADER_BYTES_MAX];
    size_t length = ws_write_frame(frame, WS_TEXT, answer, sizeof answer, 0);
    return write_all(fd, frame, length);
}

static bool answer_upgrade(struct peer *peer, const char *key, const struct http_head *head)
{
    size_t length;
    char accept[WS_ACCEPT_CHARS + 1];
    ws_accept_key(key, accept);
    const char *protocol = http_field((const char *)peer->bytes, head->head_bytes,
                                      "Sec-WebSocket-Protocol", &length) != NULL
                               ? "Sec-WebSocket-Protocol: mcp\r\n"
                               : "";
    char response[256];
    int response_bytes = snprintf(response, sizeof response,
                                  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                                  accept, protocol);
    peer->upgraded = true;
    peer->have = 0;
    return write_all(peer->fd, response, (size_t)response_bytes);
}

/* A stream of events, of which one comes at once. */
static bool answer_get(struct peer *peer)
{
    static const char event[] = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":"
                                "\"notifications/tools/list_changed\"}\n\n";
    char response[512];
    int length = snprintf(response, sizeof response,
                          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                          "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n",
                          sizeof event - 1, event);
    return write_all(peer->fd, response, (size_t)length);
}

/* Goes on with the answer, and has the socket's readiness for more reported. */
static bool continue_answer(struct peer *peer, int epoll)
{
    enum answer_progress progress = answer_write(&peer->answer, peer->fd);
    bool answering = progress == ANSWER_PARTIAL;
    if (answering != peer->answering) {
        struct epoll_event event = {.events = answering ? EPOLLOUT : EPOLLIN, .data.fd = peer->fd};
        peer->answering = answering;
        (void)epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &event);
    }
    return progress != ANSWER_FAILED;
}

static bool answer_post(struct peer *peer, int epoll, const struct http_head *head)
{
    const char *body = (const char *)peer->bytes + head->head_bytes;
    const char *id;
    const char *digits;
    size_t id_bytes;
    size_t count;
    size_t wanted_bytes = ANSWER_BYTES;
    if (!call_read_number(body, head->body_bytes, "id", &id, &id_bytes)) {
        return false;
    }
    if (call_read_number(body, head->body_bytes, "bytes", &digits, &count)) {
        wanted_bytes = strtoul(digits, NULL, 10);
    }
    static unsigned sessions;
    char fields[64] = "";
    if (call_is_initialize(body, head->body_bytes)) {
        (void)snprintf(fields, sizeof fields, "Mcp-Session-Id: bench-%u\r\n", ++sessions);
    }
    return answer_begin(&peer->answer, id, id_bytes, wanted_bytes, fields) &&
           continue_answer(peer, epoll);
}

static bool serve_http(struct peer *peer, int epoll)
{
    struct http_head head;
    const char *bytes = (const char *)peer->bytes;
    enum http_progress progress = http_read_head(bytes, peer->have, &head);
    if (progress == HTTP_BAD) {
        return false;
    }
    if (progress == HTTP_PARTIAL || peer->have < head.head_bytes + head.body_bytes) {
        return peer->have < sizeof peer->bytes;
    }
    size_t key_bytes;
    const char *key = http_field(bytes, head.head_bytes, "Sec-WebSocket-Key", &key_bytes);
    if (key != NULL) {
        return key_bytes == WS_KEY_CHARS && answer_upgrade(peer, key, &head);
    }
    /* A client waits for its answer before it sends the next request. */
    peer->have = 0;
    return memcmp(bytes, "GET ", 4) == 0 ? answer_get(peer) : answer_post(peer, epoll, &head);
}

static bool answer_text(struct peer *peer, int epoll, const struct ws_frame *frame)
{
    const char *id;
    const char *digits;
    size_t id_bytes;
    size_t count;
    if (!call_read_number(frame->payload, frame->length, "bytes", &digits, &count)) {
        return answer_request(peer->fd, frame);
    }
    return call_read_number(frame->payload, frame->length, "id", &id, &id_bytes) &&
           answer_begin(&peer->answer, id, id_bytes, strtoul(digits, NULL, 10), NULL) &&
           continue_answer(peer, epoll);
}

/* Passes over the rest of a large request; its start is enough to answer it. */
static bool skip_large(struct peer *peer)
{
    static uint8_t skipped[SKIP_BYTES];
    size_t most = peer->left < sizeof skipped ? peer->left : sizeof skipped;
    ssize_t got = read(peer->fd, skipped, most);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    peer->left -= (size_t)got;
    if (peer->left > 0) {
        return true;
    }
    struct ws_frame start = {.opcode = WS_TEXT, .payload = peer->bytes, .length = peer->have};
    peer->have = 0;
    return answer_request(peer->fd, &start);
}

/* A request that does not fit, once its start is there: false if it is none. */
static bool begin_large(struct peer *peer)
{
    size_t payload_bytes = 0;
    uint32_t mask;
    size_t header = ws_read_header(peer->bytes, peer->have, true, &payload_bytes);
    if (header == 0 || header + payload_bytes <= sizeof peer->bytes ||
        peer->have < sizeof peer->bytes) {
        return false;
    }
    memcpy(&mask, peer->bytes + header - sizeof mask, sizeof mask);
    peer->have -= header;
    peer->left = payload_bytes - peer->have;
    memmove(peer->bytes, peer->bytes + header, peer->have);
    ws_apply_mask(peer->bytes, peer->have, mask);
    return true;
}

/* Whether it is one, be its start there or not. */
static bool is_large(const struct peer *peer)
{
    size_t payload_bytes = 0;
    size_t header = ws_read_header(peer->bytes, peer->have, true, &payload_bytes);
    return header > 0 && header + payload_bytes > sizeof peer->bytes;
}

static bool answer_frame(struct peer *peer, int epoll, const struct ws_frame *frame)
{
    uint8_t pong[PEER_BUFFER_BYTES + WS_HEADER_BYTES_MAX];
    switch (frame->opcode) {
    case WS_TEXT:
        return answer_text(peer, epoll, frame);
    case WS_PING:
        return write_all(peer->fd, pong,
                         ws_write_frame(pong, WS_PONG, frame->payload, frame->length, 0));
    case WS_PONG:
        return true;
    case WS_CLOSE:
    default:
        return false;
    }
}

/* False: the peer is done with. */
static bool serve_peer(struct peer *peer, int epoll)
{
    if (peer->answering) {
        return continue_answer(peer, epoll);
    }
    if (peer->left > 0) {
        return skip_large(peer);
    }
    ssize_t got = read(peer->fd, peer->bytes + peer->have, sizeof peer->bytes - peer->have);
    if (got <= 0) {
        return got < 0 && errno == EAGAIN;
    }
    peer->have += (size_t)got;
    if (!peer->upgraded) {
        return serve_http(peer, epoll);
    }
    if (begin_large(peer) || is_large(peer)) {
        return true;
    }
    size_t at = 0;
    for (;;) {
        struct ws_frame frame;
        size_t consumed = 0;
        enum ws_progress progress =
            ws_read_frame(peer->bytes + at, peer->have - at, true, &frame, &consumed);
        if (progress == WS_BAD) {
            (void)fprintf(stderr, "bench_service: a frame that is not whole and masked\n");
            return false;
        }
        if (progress == WS_PARTIAL) {
            break;
        }
        at += consumed;
        if (!answer_frame(peer, epoll, &frame)) {
            return false;
        }
    }
    peer->have -= at;
    memmove(peer->bytes, peer->bytes + at, peer->have);
    return true;
}

static void accept_peers(int epoll, int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        const int one = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* of a port */
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd >= PEERS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            (void)close(fd);
            continue;
        }
        peers[fd].fd = fd;
        peers[fd].upgraded = false;
        peers[fd].answering = false;
        peers[fd].have = peers[fd].left = 0;
    }
}

static int listen_on(const struct sockaddr *address, socklen_t length)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (bind(fd, address, length) != 0 || listen(fd, BACKLOG) != 0)) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* A number is a port. */
static int listen_at(const char *where)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in port = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)strtoul(where, NULL, 10)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (strspn(where, "0123456789") == strlen(where)) {
        return listen_on((const struct sockaddr *)&port, sizeof port);
    }
    if (strlen(where) >= sizeof path.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path.sun_path, where, strlen(where) + 1);
    return listen_on((const struct sockaddr *)&path, sizeof path);
}

static int serve(int epoll, int listener)
{
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        if (count < 0 && errno != EINTR) {
            return 1;
        }
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_peers(epoll, listener);
            } else if (!serve_peer(&peers[fd], epoll)) {
                (void)close(fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_service SOCKET|PORT\n");
        return 64;
    }
    answer_prepare();
    int listener = listen_at(argv[1]);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        (void)fprintf(stderr, "bench_service: cannot listen at %s: %s\n", argv[1], strerror(errno));
        return 69;
    }
    (void)printf("listening\n");
    (void)fflush(stdout);
    return serve(epoll, listener);
}
