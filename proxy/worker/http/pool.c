#include "worker/http/pool.h"

#include "worker/http/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Takes a link off the list it waits on, if it does. */
static bool forget(struct upstream_list *list, struct upstream *upstream)
{
    struct upstream **at = &list->first;

    while (*at != NULL && *at != upstream)
        at = &(*at)->next;
    if (*at == NULL)
        return false;
    *at = upstream->next;
    upstream->next = NULL;
    list->count--;
    upstream->worker->waiting--;
    return true;
}

/* Puts a link on a list to wait, if there is room; else it is dropped. */
static void remember(struct upstream_list *list, struct upstream *upstream)
{
    struct worker *worker = upstream->worker;

    if (list->count >= POOL_LIST_MAX || worker->waiting >= worker->waiting_max ||
        worker->draining) {
        pool_drop(upstream);
        return;
    }
    upstream->connection = NULL;
    upstream->idle_since_ms = worker_now_ms(worker);
    upstream->next = list->first;
    list->first = upstream;
    list->count++;
    worker->waiting++;
    pool_watch(upstream, UV_READABLE);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct upstream *upstream = poll->data;

    if (status < 0)
        upstream->events = 0; /* libuv no longer watches, though there may be bytes to read */
    if (upstream->connection != NULL) {
        exchange_upstream_ready(upstream->connection, status, events);
        return;
    }
    /* Nothing is owed on an idle link: it closed, or it is not to be trusted. */
    if (!forget(&upstream->worker->idle[upstream->surface], upstream))
        (void)forget(&upstream->worker->spent, upstream);
    pool_drop(upstream);
}

void pool_watch(struct upstream *upstream, int events)
{
    if (upstream->events == events)
        return;
    upstream->events = events;
    if (events != 0)
        uv_poll_start(&upstream->poll, events, on_poll);
    else
        uv_poll_stop(&upstream->poll);
}

enum error pool_adopt(struct connection *connection, int fd, struct upstream **out)
{
    struct upstream *upstream = calloc(1, sizeof(*upstream));

    if (upstream == NULL || uv_poll_init(&connection->worker->loop, &upstream->poll, fd) != 0) {
        free(upstream);
        close(fd);
        return ERROR_MEMORY;
    }
    upstream->poll.data = upstream;
    upstream->fd = fd;
    upstream->worker = connection->worker;
    upstream->surface = connection->surface_index;
    upstream->connection = connection;
    *out = upstream;
    return OK;
}

/* Neither closed nor with bytes on it, which would be taken for the next answer. */
static bool is_quiet(const struct upstream *upstream)
{
    char byte;

    return recv(upstream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct upstream *pool_take(struct connection *connection)
{
    struct upstream_list *idle = &connection->worker->idle[connection->surface_index];

    while (idle->first != NULL) {
        struct upstream *upstream = idle->first;

        (void)forget(idle, upstream);
        if (is_quiet(upstream)) {
            upstream->connection = connection;
            return upstream;
        }
        pool_drop(upstream);
    }
    return NULL;
}

void pool_give(struct upstream *upstream)
{
    upstream->reused = true;
    remember(&upstream->worker->idle[upstream->surface], upstream);
}

void pool_spend(struct upstream *upstream)
{
    remember(&upstream->worker->spent, upstream);
}

static void on_closed(uv_handle_t *handle)
{
    struct upstream *upstream = handle->data;

    outgoing_clear(&upstream->out);
    free(upstream);
}

void pool_drop(struct upstream *upstream)
{
    if (upstream == NULL)
        return;
    upstream->connection = NULL;
    uv_close((uv_handle_t *)&upstream->poll, on_closed);
    close(upstream->fd);
}

static void expire(struct upstream_list *list, uint64_t now_ms, bool all)
{
    struct upstream *upstream = list->first, *next;

    for (; upstream != NULL; upstream = next) {
        next = upstream->next;
        if (!all && now_ms - upstream->idle_since_ms < POOL_IDLE_TIMEOUT_MS)
            continue;
        (void)forget(list, upstream);
        pool_drop(upstream);
    }
}

void pool_expire(struct worker *worker, bool all)
{
    uint64_t now_ms = worker_now_ms(worker);

    for (size_t i = 0; i < worker->config->surface_count; i++)
        expire(&worker->idle[i], now_ms, all);
    expire(&worker->spent, now_ms, all);
}
