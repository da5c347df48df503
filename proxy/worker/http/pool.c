#include "worker/http/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIST_MAX        64   /* idle ones of one surface; spent ones */
#define IDLE_TIMEOUT_MS 3000 /* services close theirs after 5 s, many of them */

/* Takes a link off the list it waits on, if it does. */
static bool forget(struct link_list *list, struct link *link)
{
    struct link **at = &list->first;

    while (*at != NULL && *at != link)
        at = &(*at)->next;
    if (*at == NULL)
        return false;
    *at = link->next;
    link->next = NULL;
    list->count--;
    link->pool->waiting--;
    return true;
}

/* Puts a link on a list to wait, if there is room; else it is dropped. */
static void remember(struct link_list *list, struct link *link)
{
    struct pool *pool = link->pool;

    if (list->count >= LIST_MAX || pool->waiting >= pool->waiting_max || pool->worker->draining) {
        pool_drop(link);
        return;
    }
    link->user = NULL;
    link->waits_since_ms = worker_now_ms(pool->worker);
    link->next = list->first;
    list->first = link;
    list->count++;
    pool->waiting++;
    endpoint_watch(&link->endpoint, UV_READABLE);
}

static void on_ready(struct endpoint *endpoint, int status, int events)
{
    struct link *link = (struct link *)endpoint;

    if (link->user != NULL) {
        link->ready(link->user, status, events);
        return;
    }
    /* Nothing is owed on an idle link: it closed, or it is not to be trusted. */
    if (!forget(&link->pool->idle[link->surface], link))
        (void)forget(&link->pool->spent, link);
    pool_drop(link);
}

static void on_closed(struct endpoint *endpoint)
{
    free(endpoint);
}

enum error pool_adopt(struct pool *pool, uint32_t surface, const char *owner, int fd,
                      struct link **out)
{
    struct link *link = calloc(1, sizeof(*link));

    if (link == NULL) {
        close(fd);
        return ERROR_MEMORY;
    }
    link->endpoint.ready = on_ready;
    link->endpoint.closed = on_closed;
    link->pool = pool;
    link->surface = surface;
    snprintf(link->owner, sizeof(link->owner), "%s", owner);
    if (endpoint_open(&link->endpoint, &pool->worker->endpoints, fd) != OK) {
        free(link);
        return ERROR_IO;
    }
    *out = link;
    return OK;
}

/* Neither closed nor with bytes on it, which would be taken for the next answer. */
static bool is_quiet(const struct link *link)
{
    char byte;

    return recv(link->endpoint.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

static struct link *find(const struct link_list *list, const char *owner)
{
    struct link *link = list->first;

    while (link != NULL && strcmp(link->owner, owner) != 0)
        link = link->next;
    return link;
}

struct link *pool_take(struct pool *pool, uint32_t surface, const char *owner)
{
    struct link_list *idle = &pool->idle[surface];
    struct link *link;

    while ((link = find(idle, owner)) != NULL) {
        (void)forget(idle, link);
        if (is_quiet(link))
            return link;
        pool_drop(link);
    }
    return NULL;
}

void pool_give(struct link *link)
{
    link->reused = true;
    remember(&link->pool->idle[link->surface], link);
}

void pool_spend(struct link *link)
{
    remember(&link->pool->spent, link);
}

void pool_drop(struct link *link)
{
    if (link == NULL)
        return;
    endpoint_close(&link->endpoint);
}

static void expire(struct link_list *list, uint64_t now_ms, bool all)
{
    struct link *link = list->first, *next;

    for (; link != NULL; link = next) {
        next = link->next;
        if (!all && now_ms - link->waits_since_ms < IDLE_TIMEOUT_MS)
            continue;
        (void)forget(list, link);
        pool_drop(link);
    }
}

void pool_expire(struct pool *pool, bool all)
{
    uint64_t now_ms = worker_now_ms(pool->worker);

    for (size_t i = 0; i < CONFIG_SLOTS_MAX; i++)
        expire(&pool->idle[i], now_ms, all);
    expire(&pool->spent, now_ms, all);
}

void pool_vacate(struct pool *pool, uint32_t surface)
{
    expire(&pool->idle[surface], worker_now_ms(pool->worker), true);
}

enum error pool_create(struct pool *pool, struct worker *worker)
{
    pool->worker = worker;
    pool->idle = calloc(CONFIG_SLOTS_MAX, sizeof(*pool->idle));
    return pool->idle != NULL ? OK : ERROR_MEMORY;
}

void pool_destroy(struct pool *pool)
{
    free(pool->idle);
}
