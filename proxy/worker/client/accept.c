#include "worker/client/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ACCEPTS_PER_WAKEUP 64

static size_t count_caller(const struct worker *worker, uint32_t surface, uint32_t uid)
{
    size_t count = 0;

    for (const struct connection *c = worker->connections; c != NULL; c = c->next) {
        if (c->surface_index == surface && c->caller_known && c->caller_uid == uid)
            count++;
    }
    return count;
}

/* Whether the surface has room for one more connection of this caller. */
static bool has_room(const struct worker_poll *listener, bool known, uint32_t uid)
{
    const struct worker *worker = listener->worker;
    const struct surface *surface = &worker->config->surfaces[listener->surface];

    if (worker->surfaces[listener->surface].connections >= surface->limits.max_connections)
        return false;
    return !known || count_caller(worker, listener->surface, uid) <
                         surface->limits.max_connections_per_caller;
}

/*
 * A surface that is full makes room at the expense of the connection that has
 * kept us waiting longest without having been admitted: whoever has no token
 * cannot keep others out by saying nothing. Only then do those give way that
 * wait for a further request.
 */
static bool make_room(const struct worker_poll *listener)
{
    struct connection *longest = NULL;

    for (struct connection *c = listener->worker->connections; c != NULL; c = c->next) {
        if (c->surface_index == listener->surface && c->state == CONNECTION_HEAD &&
            (longest == NULL || longest->admitted || !c->admitted))
            longest = c;
    }
    if (longest == NULL)
        return false;
    connection_drop(longest, REASON_REQUEST_TIMEOUT);
    return true;
}

/* Identifies the caller before a byte is read, then lets the handshake begin. */
static void welcome(const struct worker_poll *listener, int fd)
{
    struct connection_birth birth = {.worker = listener->worker, .listener = listener, .fd = fd};
    struct connection *connection;
    bool room;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    birth.caller_known = caller_uid(listener->worker->callers, fd, &birth.caller_uid) == OK;
    room = has_room(listener, birth.caller_known, birth.caller_uid) || make_room(listener);
    if (connection_create(&birth, &connection) != OK)
        return;
    if (!room)
        connection_drop(connection, REASON_CAPACITY);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    const struct worker_poll *listener = poll->data;
    struct worker *worker = listener->worker;

    (void)events;
    if (status < 0)
        return;
    for (unsigned i = 0; i < ACCEPTS_PER_WAKEUP && worker->accepting; i++) {
        int fd = accept4(listener->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            /* Out of descriptors: stop asking until one is given back. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                worker_accept_more(worker, false);
            return;
        }
        welcome(listener, fd);
        if (worker->connection_count >= worker->connection_max)
            worker_accept_more(worker, false);
    }
}

void worker_accept_more(struct worker *worker, bool accept)
{
    if (worker->accepting == accept || (accept && (worker->draining || !secure_complete(worker))))
        return;
    worker->accepting = accept;
    for (size_t i = 0; i < worker->listener_count; i++) {
        if (accept)
            uv_poll_start(&worker->listeners[i].poll, UV_READABLE, on_acceptable);
        else
            uv_poll_stop(&worker->listeners[i].poll);
    }
}

enum error accept_start(struct worker *worker, const struct worker_options *options)
{
    worker->listeners = calloc(options->listener_count, sizeof(*worker->listeners));
    if (worker->listeners == NULL)
        return ERROR_MEMORY;
    for (size_t i = 0; i < options->listener_count; i++) {
        struct worker_poll *listener = &worker->listeners[i];

        *listener = (struct worker_poll){.worker = worker,
                                         .surface = options->listeners[i].surface,
                                         .listener = {.fd = options->listeners[i].fd}};
        listener->poll.data = listener;
        if (listener_describe(&listener->listener) != OK ||
            uv_poll_init(&worker->loop, &listener->poll, listener->listener.fd) != 0)
            return ERROR_IO;
        worker->listener_count++;
    }
    worker_accept_more(worker, true);
    return OK;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct worker_poll *listener = handle->data;

    listener_close(&listener->listener);
}

void accept_stop(struct worker *worker)
{
    worker_accept_more(worker, false);
    for (size_t i = 0; i < worker->listener_count; i++) {
        uv_handle_t *handle = (uv_handle_t *)&worker->listeners[i].poll;

        if (!uv_is_closing(handle))
            uv_close(handle, on_listener_closed);
    }
}
