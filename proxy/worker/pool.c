#include "worker/pool.h"

#include "worker/exchange.h"

#include <stdlib.h>
#include <unistd.h>

static void forget(struct upstream_list *list, const struct upstream *upstream)
{
    struct upstream **at = &list->first;

    while (*at != NULL && *at != upstream)
        at = &(*at)->next;
    if (*at == NULL)
        return;
    *at = upstream->next;
    list->count--;
}

static void remember(struct upstream_list *list, struct upstream *upstream)
{
    upstream->connection = NULL;
    upstream->idle_since_ms = worker_now_ms(upstream->worker);
    upstream->next = list->first;
    list->first = upstream;
    list->count++;
    pool_watch(upstream, UV_READABLE);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct upstream *upstream = poll->data;

    if (upstream->connection != NULL) {
        exchange_upstream_ready(upstream->connection, status, events);
        return;
    }
    /* Nothing is owed on an idle link: it closed, or it is not to be trusted. */
    forget(&upstream->worker->idle[upstream->surface], upstream);
    forget(&upstream->worker->spent, upstream);
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

struct upstream *pool_take(struct connection *connection)
{
    struct upstream_list *idle = &connection->worker->idle[connection->surface_index];
    struct upstream *upstream = idle->first;

    if (upstream == NULL)
        return NULL;
    idle->first = upstream->next;
    idle->count--;
    upstream->next = NULL;
    upstream->connection = connection;
    return upstream;
}

void pool_give(struct upstream *upstream)
{
    struct upstream_list *idle = &upstream->worker->idle[upstream->surface];

    if (idle->count >= POOL_IDLE_MAX || upstream->worker->draining) {
        pool_drop(upstream);
        return;
    }
    upstream->reused = true;
    remember(idle, upstream);
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

/* The newest come first, so whoever is too old has only older ones behind. */
static void expire(struct upstream_list *list, uint64_t now_ms, bool all)
{
    struct upstream **at = &list->first;

    while (*at != NULL && !all && now_ms - (*at)->idle_since_ms < POOL_IDLE_TIMEOUT_MS)
        at = &(*at)->next;
    while (*at != NULL) {
        struct upstream *upstream = *at;

        *at = upstream->next;
        list->count--;
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
