/*
 * Links for HTTP: connections to the services, handed over by the broker, used
 * for one exchange at a time and kept a while for the next.
 */
#pragma once

#include "worker/client/endpoint.h"
#include "worker/client/process.h"

#define POOL_WAITING_MAX 256 /* all that wait; fewer where descriptors are few */

struct link {
    struct endpoint endpoint; /* first */
    struct link *next;        /* while it waits */
    struct pool *pool;
    uint32_t surface;
    char owner[IPC_SESSION_ID_SIZE]; /* the session that alone may use it; "": any */
    void *user;                      /* whose exchange it carries; NULL: it waits */
    void (*ready)(void *user, int status, int events);
    bool reused; /* it carried an exchange before: it may have been closed since */
    uint64_t waits_since_ms;
};

struct link_list {
    struct link *first; /* newest first */
    size_t count;
};

struct pool {
    struct worker *worker;
    struct link_list *idle; /* by slot; owned */
    struct link_list spent; /* on which an answer of the gate's own was sent */
    size_t waiting, waiting_max;
};

enum error pool_create(struct pool *pool, struct worker *worker) MUST_CHECK;
void pool_destroy(struct pool *pool);
/* A fresh link on a connected descriptor, which is taken over also on failure; nobody's yet. */
enum error pool_adopt(struct pool *pool, uint32_t surface, const char *owner, int fd,
                      struct link **out) MUST_CHECK;
/* An idle link to the surface that is this owner's, or NULL. */
struct link *pool_take(struct pool *pool, uint32_t surface, const char *owner);
/* After a whole exchange: kept for another. */
void pool_give(struct link *link);
/* After its last request: closed as soon as the service answers, or after a while. */
void pool_spend(struct link *link);
/* Closes and frees; NULL is fine. */
void pool_drop(struct link *link);
/* Closes what has been idle for too long; with `all`, everything idle. */
void pool_expire(struct pool *pool, bool all);
/* Closes what is idle of a surface that is no more. */
void pool_vacate(struct pool *pool, uint32_t surface);
