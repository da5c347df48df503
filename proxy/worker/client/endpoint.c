#include "worker/client/endpoint.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS_MAX  8 /* of one turn, over what TLS has read ahead; others want their turn */
#define WATCHES_MIN 64

/* The loop's part of a descriptor, by its number. */
struct watch {
    uv_poll_t poll;
    struct endpoint *endpoint; /* whose it is, as long as it is watched */
};

static void on_poll(uv_poll_t *poll, int status, int events);

static struct watch *watch_of(const struct endpoint *endpoint)
{
    return endpoint->all->watches[endpoint->fd];
}

static uint64_t now_ms(const struct endpoint *endpoint)
{
    return uv_now(endpoint->all->loop);
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
        uv_poll_start(&watch_of(endpoint)->poll, wanted, on_poll);
    else
        uv_poll_stop(&watch_of(endpoint)->poll);
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

    if (status < 0) {
        /* libuv has let go of it, and the kernel has not: a copy of it may be somebody else's. */
        uv_poll_stop(poll);
        endpoint->events = endpoint->watched = 0;
    }
    if (endpoint->tls != NULL && tls_wants_write(endpoint->tls))
        events |= UV_READABLE; /* what could not go on may go on now */
    if (endpoint->shaking)
        shake(endpoint);
    else
        tell(endpoint, status, events);
}

void endpoint_look(struct endpoint *endpoint)
{
    on_poll(&watch_of(endpoint)->poll, 0, UV_READABLE);
}

/* ---- Beginning ---- */

static enum error make_room(struct endpoints *all, size_t wanted)
{
    size_t count = all->count > 0 ? all->count : WATCHES_MIN;
    struct watch **watches;

    if (wanted <= all->count)
        return OK;
    while (count < wanted)
        count *= 2;
    watches = realloc(all->watches, count * sizeof(struct watch *));
    if (watches == NULL)
        return ERROR_MEMORY;
    memset(watches + all->count, 0, (count - all->count) * sizeof(struct watch *));
    all->watches = watches;
    all->count = count;
    return OK;
}

/* The first of this number brings a watch, which those to come will have. */
static enum error make_watch(struct endpoints *all, int fd)
{
    enum error error = make_room(all, (size_t)fd + 1);
    struct watch *watch;

    if (error != OK || all->watches[fd] != NULL)
        return error;
    watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return ERROR_MEMORY;
    if (uv_poll_init(all->loop, &watch->poll, fd) != 0) {
        free(watch);
        return ERROR_IO;
    }
    all->watches[fd] = watch;
    return OK;
}

static void begin(struct endpoint *endpoint, struct endpoints *all, int fd)
{
    endpoint->all = all;
    endpoint->fd = fd;
    endpoint->events = endpoint->watched = 0;
    endpoint->shaking = false;
    endpoint->tls = NULL;
    endpoint->out = (struct outgoing){0};
    if (fd >= 0)
        all->watches[fd]->endpoint = endpoint;
}

enum error endpoint_open(struct endpoint *endpoint, struct endpoints *all, int fd)
{
    enum error error = make_watch(all, fd);

    if (error == OK)
        begin(endpoint, all, fd);
    else
        close(fd);
    return error;
}

enum error endpoint_secure(struct endpoint *endpoint, struct ssl_ctx_st *context)
{
    enum error error = tls_create(context, endpoint->fd, &endpoint->tls);

    endpoint->shaking = error == OK;
    rewatch(endpoint);
    return error;
}

void endpoint_move(struct endpoint *to, struct endpoint *from)
{
    begin(to, from->all, from->fd);
    to->events = from->events;
    to->watched = from->watched;
    to->tls = from->tls;
    begin(from, from->all, -1);
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

    return outgoing_send(&endpoint->out, &peer, now_ms(endpoint), parts, count);
}

bool endpoint_send_block(struct endpoint *endpoint, const struct iovec *head,
                         struct outgoing *block)
{
    const struct outgoing_peer peer = peer_of(endpoint);

    return outgoing_send_block(&endpoint->out, &peer, now_ms(endpoint), head, block);
}

bool endpoint_flush(struct endpoint *endpoint)
{
    const struct outgoing_peer peer = peer_of(endpoint);

    return outgoing_flush(&endpoint->out, &peer, now_ms(endpoint));
}

/* ---- Its end ---- */

void endpoint_finish(struct endpoint *endpoint)
{
    if (endpoint->tls != NULL)
        tls_finish(endpoint->tls);
    shutdown(endpoint->fd, SHUT_WR);
}

void endpoint_close(struct endpoint *endpoint)
{
    struct endpoints *all = endpoint->all;

    outgoing_clear(&endpoint->out);
    if (endpoint->watched != 0)
        uv_poll_stop(&watch_of(endpoint)->poll);
    endpoint->watched = 0;
    if (endpoint->tls != NULL && endpoint->fd >= 0 && !endpoint->shaking)
        tls_finish(endpoint->tls);
    drop_tls(endpoint);
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    endpoint->fd = -1;
    endpoint->next = all->closed;
    all->closed = endpoint;
}

/* ---- All of them ---- */

void endpoints_reap(struct endpoints *all)
{
    while (all->closed != NULL) {
        struct endpoint *endpoint = all->closed;

        all->closed = endpoint->next;
        endpoint->closed(endpoint);
    }
}

static void on_unwatched(uv_handle_t *handle)
{
    free(handle);
}

void endpoints_end(struct endpoints *all)
{
    endpoints_reap(all);
    for (size_t i = 0; i < all->count; i++) {
        if (all->watches[i] != NULL)
            uv_close((uv_handle_t *)all->watches[i], on_unwatched);
    }
    free(all->watches);
    *all = (struct endpoints){.loop = all->loop};
}
