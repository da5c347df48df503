#include "worker/client/endpoint.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX 8 /* of one turn, over what TLS has read ahead; others want their turn */

/* Apart from its endpoint, so that another can go on with it: to be watched for anew takes calls.
 */
struct watch {
    union {
        uv_poll_t poll;
        uv_idle_t none; /* what it watched for has gone to another */
        uv_handle_t any;
    } handle;
    struct endpoint *endpoint;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static uv_loop_t *loop_of(const struct endpoint *endpoint)
{
    return endpoint->watch->handle.any.loop;
}

/* ---- What is watched for ---- */

/*
 * TLS may have read ahead, and the socket does not tell of that; but it says in the next turn
 * that it takes bytes. And before TLS reads on it may have to write.
 */
static int wanted_of(const struct endpoint *endpoint)
{
    int wanted = endpoint->shaking ? UV_READABLE : endpoint->events;

    if (endpoint->tls != NULL && (wanted & UV_READABLE) != 0 &&
        (tls_wants_write(endpoint->tls) || tls_has_more(endpoint->tls)))
        wanted |= UV_WRITABLE;
    return wanted;
}

static void rewatch(struct endpoint *endpoint)
{
    int wanted;

    if (endpoint->fd < 0)
        return;
    wanted = wanted_of(endpoint);
    if (endpoint->watched == wanted)
        return;
    endpoint->watched = wanted;
    if (wanted != 0)
        uv_poll_start(&endpoint->watch->handle.poll, wanted, on_poll);
    else
        uv_poll_stop(&endpoint->watch->handle.poll);
}

void endpoint_watch(struct endpoint *endpoint, int events)
{
    endpoint->events = events;
    rewatch(endpoint);
}

static void drop_tls(struct endpoint *endpoint)
{
    tls_destroy(endpoint->tls);
    endpoint->tls = NULL;
}

static void shake(struct endpoint *endpoint)
{
    enum tls_stage stage = tls_shake(endpoint->tls);

    if (stage != TLS_SHAKING) {
        endpoint->shaking = false;
        if (stage != TLS_OPEN)
            drop_tls(endpoint);
        endpoint->secured(endpoint, stage);
    }
    rewatch(endpoint);
}

/* Tells the owner, who may close it, what he watches for; and again of what TLS still has. */
static void tell(struct endpoint *endpoint, int status, int events)
{
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        if (endpoint->tls != NULL && status == 0 && tls_has_more(endpoint->tls))
            events |= UV_READABLE;
        if (endpoint->tls != NULL && status == 0)
            events &= endpoint->events | UV_DISCONNECT;
        if (events != 0 || status < 0)
            endpoint->ready(endpoint, status, events);
        events = 0;
        if (status < 0 || endpoint->fd < 0 || endpoint->tls == NULL ||
            (endpoint->events & UV_READABLE) == 0 || !tls_has_more(endpoint->tls))
            break;
    }
    rewatch(endpoint);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct endpoint *endpoint = ((struct watch *)poll)->endpoint;

    if (status < 0)
        endpoint->events = endpoint->watched = 0;
    if (endpoint->tls != NULL && tls_wants_write(endpoint->tls))
        events |= UV_READABLE; /* what could not go on may go on now */
    if (endpoint->shaking)
        shake(endpoint);
    else
        tell(endpoint, status, events);
}

/* ---- Beginning ---- */

static struct watch *new_watch(struct endpoint *endpoint)
{
    struct watch *watch = calloc(1, sizeof(*watch));

    if (watch != NULL)
        watch->endpoint = endpoint;
    return watch;
}

static void begin(struct endpoint *endpoint, struct watch *watch)
{
    endpoint->watch = watch;
    endpoint->fd = -1;
    endpoint->events = endpoint->watched = 0;
    endpoint->shaking = false;
    endpoint->tls = NULL;
    endpoint->out = (struct outgoing){0};
}

enum error endpoint_open(struct endpoint *endpoint, uv_loop_t *loop, int fd)
{
    struct watch *watch = new_watch(endpoint);

    begin(endpoint, watch);
    if (watch == NULL || uv_poll_init(loop, &watch->handle.poll, fd) != 0) {
        free(watch);
        close(fd);
        return ERROR_IO;
    }
    endpoint->fd = fd;
    return OK;
}

enum error endpoint_secure(struct endpoint *endpoint, struct ssl_ctx_st *context)
{
    enum error error = tls_create(context, endpoint->fd, &endpoint->tls);

    endpoint->shaking = error == OK;
    rewatch(endpoint);
    return error;
}

enum error endpoint_move(struct endpoint *to, struct endpoint *from)
{
    struct watch *none = new_watch(from);

    if (none == NULL)
        return ERROR_MEMORY;
    uv_idle_init(loop_of(from), &none->handle.none);
    begin(to, from->watch);
    to->watch->endpoint = to;
    to->fd = from->fd;
    to->events = from->events;
    to->watched = from->watched;
    to->tls = from->tls;
    from->watch = none;
    from->fd = -1;
    from->events = from->watched = 0;
    from->tls = NULL;
    return OK;
}

/* ---- Bytes ---- */

static ssize_t take_by_tls(const struct outgoing_peer *peer, const struct iovec *parts,
                           size_t count)
{
    return tls_send(peer->owner, parts, count);
}

static struct outgoing_peer peer_of(const struct endpoint *endpoint)
{
    if (endpoint->tls == NULL)
        return outgoing_socket(endpoint->fd);
    return (struct outgoing_peer){.take = take_by_tls, .owner = endpoint->tls, .fd = endpoint->fd};
}

ssize_t endpoint_receive(struct endpoint *endpoint, void *out, size_t room)
{
    if (endpoint->tls != NULL)
        return tls_receive(endpoint->tls, out, room);
    return recv(endpoint->fd, out, room, 0);
}

bool endpoint_send(struct endpoint *endpoint, const struct iovec *parts, size_t count)
{
    const struct outgoing_peer peer = peer_of(endpoint);

    return outgoing_send(&endpoint->out, &peer, uv_now(loop_of(endpoint)), parts, count);
}

bool endpoint_send_block(struct endpoint *endpoint, const struct iovec *head,
                         struct outgoing *block)
{
    const struct outgoing_peer peer = peer_of(endpoint);

    return outgoing_send_block(&endpoint->out, &peer, uv_now(loop_of(endpoint)), head, block);
}

bool endpoint_flush(struct endpoint *endpoint)
{
    const struct outgoing_peer peer = peer_of(endpoint);

    return outgoing_flush(&endpoint->out, &peer, uv_now(loop_of(endpoint)));
}

/* ---- Its end ---- */

void endpoint_finish(struct endpoint *endpoint)
{
    if (endpoint->tls != NULL)
        tls_finish(endpoint->tls);
    shutdown(endpoint->fd, SHUT_WR);
}

static void on_closed(uv_handle_t *handle)
{
    struct watch *watch = (struct watch *)handle;
    struct endpoint *endpoint = watch->endpoint;

    free(watch);
    endpoint->closed(endpoint);
}

void endpoint_close(struct endpoint *endpoint)
{
    outgoing_clear(&endpoint->out);
    uv_close(&endpoint->watch->handle.any, on_closed);
    if (endpoint->tls != NULL && endpoint->fd >= 0 && !endpoint->shaking)
        tls_finish(endpoint->tls);
    drop_tls(endpoint);
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    endpoint->fd = -1;
}
