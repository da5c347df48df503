#include "worker/client/accept.h"

#include "worker/client/client.h"
#include "worker/tls/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_WAKEUP 64

struct door {
    struct door *next;
    uv_poll_t poll;
    struct listener listener;
    uint32_t surface;
    struct accept *accept;
};

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
static bool has_room(const struct door *door, bool known, uint32_t uid)
{
    const struct worker *worker = door->accept->worker;
    const struct surface *surface = &worker->config->surfaces[door->surface];

    if (worker->surfaces[door->surface].connections >= surface->limits.max_connections)
        return false;
    return !known ||
           count_caller(worker, door->surface, uid) < surface->limits.max_connections_per_caller;
}

/*
 * A surface that is full makes room at the expense of the connection that has
 * kept us waiting longest without having been admitted: whoever has no token
 * cannot keep others out by saying nothing. Only then do those give way that
 * wait for a further request.
 */
static bool make_room(const struct door *door)
{
    struct connection *longest = NULL;

    for (struct connection *c = door->accept->worker->connections; c != NULL; c = c->next) {
        if (c->surface_index == door->surface && c->state == CONNECTION_HEAD &&
            (longest == NULL || longest->admitted || !c->admitted))
            longest = c;
    }
    if (longest == NULL)
        return false;
    connection_drop(longest, REASON_REQUEST_TIMEOUT);
    return true;
}

/* The rest of the worker sees a plain socket in any case. */
static enum error open_client(struct accept *accept, struct connection *connection, int fd)
{
    enum error error = OK;

    if (connection->surface->tls != NULL)
        error = secure_start(accept->secure, connection, fd, &fd);
    return error == OK ? client_start(connection, fd) : error;
}

/* One that came to nothing: nobody knows it but its TLS. */
static void discard(struct connection *connection)
{
    if (connection->tls != NULL)
        tls_abandon(connection->tls);
    connection_tls_ended(connection);
}

/* Identifies the caller before a byte is read, then lets the connection begin. */
static void welcome(const struct door *door, int fd)
{
    struct connection_birth birth = {.worker = door->accept->worker,
                                     .listener = &door->listener,
                                     .surface_index = door->surface,
                                     .mode = &client_mode};
    struct connection *connection;
    bool room;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    birth.caller_known = caller_uid(door->accept->callers, fd, &birth.caller_uid) == OK;
    room = has_room(door, birth.caller_known, birth.caller_uid) || make_room(door);
    if (connection_create(&birth, &connection) != OK) {
        close(fd);
        return;
    }
    if (open_client(door->accept, connection, fd) != OK)
        discard(connection);
    else if (!room)
        connection_drop(connection, REASON_CAPACITY);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    const struct door *door = poll->data;
    struct accept *accept = door->accept;

    (void)events;
    if (status < 0)
        return;
    for (unsigned i = 0; i < ACCEPTS_PER_WAKEUP && accept->open; i++) {
        int fd = accept4(door->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            /* Out of descriptors: stop asking until one is given back. */
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                accept_open(accept, false);
            return;
        }
        welcome(door, fd);
        if (accept->worker->connection_count >= accept->connection_max)
            accept_open(accept, false);
    }
}

void accept_open(struct accept *accept, bool open)
{
    const struct worker *worker = accept->worker;

    if (accept->open == open ||
        (open && (worker->draining || !secure_complete(accept->secure, worker->config))))
        return;
    accept->open = open;
    for (struct door *door = accept->doors; door != NULL; door = door->next) {
        if (open)
            uv_poll_start(&door->poll, UV_READABLE, on_acceptable);
        else
            uv_poll_stop(&door->poll);
    }
}

enum error accept_add(struct accept *accept, int fd, uint32_t surface)
{
    struct door *door = calloc(1, sizeof(*door));

    if (door == NULL)
        return ERROR_MEMORY;
    door->accept = accept;
    door->surface = surface;
    door->listener.fd = fd;
    door->poll.data = door;
    if (listener_describe(&door->listener) != OK ||
        uv_poll_init(&accept->worker->loop, &door->poll, fd) != 0) {
        listener_close(&door->listener);
        free(door);
        return ERROR_IO;
    }
    door->next = accept->doors;
    accept->doors = door;
    return OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct door *door = handle->data;

    listener_close(&door->listener);
}

void accept_stop(struct accept *accept)
{
    accept_open(accept, false);
    for (struct door *door = accept->doors; door != NULL; door = door->next) {
        if (!uv_is_closing((uv_handle_t *)&door->poll))
            uv_close((uv_handle_t *)&door->poll, on_closed);
    }
}

void accept_release(struct accept *accept)
{
    while (accept->doors != NULL) {
        struct door *door = accept->doors;

        accept->doors = door->next;
        free(door);
    }
    caller_lookup_destroy(accept->callers);
}
