#include "worker/probes/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES_MAX      (8 * 1024)
#define ANSWER_BYTES_MAX    (4 * 1024 * 1024 + 1024)
#define SEND_BYTES          (64 * 1024) /* in one turn of the loop */
#define REQUEST_PATIENCE_MS 5000 /* with the head, with the broker, with who takes the answer */
#define PARTING_PATIENCE_MS 1000

static void on_ready(uv_poll_t *poll, int status, int events);

static void enter(struct probe *probe, enum probe_state state)
{
    probe->state = state;
    probe->deadline_ms = uv_now(probe->poll.loop) +
                         (state == PROBE_PARTING ? PARTING_PATIENCE_MS : REQUEST_PATIENCE_MS);
}

static uint64_t first_bytes(const void *address)
{
    uint64_t bytes;

    memcpy(&bytes, address, sizeof(bytes));
    return bytes;
}

/* Of IPv6 the network: whoever has one address of it has all. This host is one, by whatever
 * address of its own it comes. */
static struct probe_peer peer_of(int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
    socklen_t length = sizeof(address);
    struct ucred owner = {.uid = 0};
    socklen_t owner_length = sizeof(owner);

    (void)getpeername(fd, (struct sockaddr *)&address, &length);
    switch (address.ss_family) {
    case AF_INET:
        if (ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
            return (struct probe_peer){.kind = PEER_HOST};
        return (struct probe_peer){.kind = PEER_ADDRESS, .number = four->sin_addr.s_addr};
    case AF_INET6:
        if (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr))
            return (struct probe_peer){.kind = PEER_HOST};
        return (struct probe_peer){.kind = PEER_NETWORK, .number = first_bytes(&six->sin6_addr)};
    default:
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &owner_length);
        return (struct probe_peer){.kind = PEER_USER, .number = owner.uid};
    }
}

struct probe *probe_create(uv_loop_t *loop, int fd, const struct probe_listener *listener)
{
    struct probe *probe = calloc(1, sizeof(*probe));

    if (probe == NULL || uv_poll_init(loop, &probe->poll, fd) != 0) {
        free(probe);
        close(fd);
        return NULL;
    }
    probe->listener = listener;
    probe->fd = fd;
    probe->peer = peer_of(fd);
    probe->poll.data = probe;
    buffer_init(&probe->in, HEAD_BYTES_MAX);
    buffer_init(&probe->out, ANSWER_BYTES_MAX);
    enter(probe, PROBE_READING);
    uv_poll_start(&probe->poll, UV_READABLE, on_ready);
    return probe;
}

void probe_destroy(struct probe *probe)
{
    buffer_clear(&probe->in);
    buffer_clear(&probe->out);
    free(probe);
}

static void on_closed(uv_handle_t *handle)
{
    struct probe *probe = handle->data;

    probe->listener->over(probe);
}

void probe_end(struct probe *probe)
{
    if (probe->state == PROBE_OVER)
        return;
    probe->state = PROBE_OVER;
    uv_close((uv_handle_t *)&probe->poll, on_closed);
    close(probe->fd);
}

/* Whoever goes meanwhile is noticed when the answer is sent. */
void probe_wait(struct probe *probe)
{
    enter(probe, PROBE_WAITING);
    uv_poll_stop(&probe->poll);
}

/* A part in each turn, however fast the other end reads. */
static void send_rest(struct probe *probe)
{
    size_t rest = probe->out.length - probe->sent;
    ssize_t sent = send(probe->fd, probe->out.data + probe->sent,
                        rest < SEND_BYTES ? rest : SEND_BYTES, MSG_NOSIGNAL);

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        probe_end(probe);
        return;
    }
    probe->sent += sent > 0 ? (size_t)sent : 0;
    if (probe->sent < probe->out.length) {
        uv_poll_start(&probe->poll, UV_WRITABLE, on_ready);
        return;
    }
    (void)shutdown(probe->fd, SHUT_WR);
    buffer_clear(&probe->out);
    enter(probe, PROBE_PARTING);
    uv_poll_start(&probe->poll, UV_READABLE, on_ready);
}

void probe_answer(struct probe *probe, const struct probe_facts *facts)
{
    enter(probe, PROBE_SENDING);
    probe_request_answer(&probe->verdict, facts, &probe->out);
    if (buffer_failed(&probe->out))
        probe_end(probe);
    else
        send_rest(probe);
}

/* What else is said goes nowhere: else closing would take the answer back. */
static void hear_out(struct probe *probe)
{
    char bytes[4096];
    ssize_t got = recv(probe->fd, bytes, sizeof(bytes), 0);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        probe_end(probe);
}

static void read_head(struct probe *probe)
{
    size_t room = HEAD_BYTES_MAX - probe->in.length;
    char *into = room > 0 ? buffer_reserve(&probe->in, room) : NULL;
    ssize_t got = into != NULL ? recv(probe->fd, into, room, 0) : 0;
    struct http_request request;
    enum reason reason;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0 && room > 0) {
        probe_end(probe);
        return;
    }
    buffer_commit(&probe->in, (size_t)got);
    switch (http_request_parse(probe->in.data, probe->in.length, &request, &reason)) {
    case HTTP_MORE:
        if (probe->in.length == HEAD_BYTES_MAX)
            probe->listener->judge(probe, NULL);
        return;
    case HTTP_FAULT:
        probe->listener->judge(probe, NULL);
        return;
    case HTTP_COMPLETE:
        probe->listener->judge(probe, &request);
    }
}

void probe_begin(struct probe *probe)
{
    read_head(probe);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct probe *probe = poll->data;

    (void)events;
    if (status < 0)
        probe_end(probe);
    else if (probe->state == PROBE_READING)
        read_head(probe);
    else if (probe->state == PROBE_SENDING)
        send_rest(probe);
    else if (probe->state == PROBE_PARTING)
        hear_out(probe);
}
