/*
 * Links for HTTP: connections to the services, handed over by the broker, used
 * for one exchange at a time and kept a while for the next.
 */
#ifndef SIDELOCK_WORKER_POOL_H
#define SIDELOCK_WORKER_POOL_H

#include "worker/client/connection.h"
#include "worker/http/outgoing.h"

#define POOL_LIST_MAX        64   /* idle ones of one surface; spent ones */
#define POOL_WAITING_MAX     256  /* all of these; fewer where descriptors are few */
#define POOL_IDLE_TIMEOUT_MS 3000 /* services close theirs after 5 s, many of them */

struct upstream {
    struct upstream *next; /* while idle */
    uv_poll_t poll;
    int fd;
    int events;
    struct worker *worker;
    uint32_t surface;
    struct connection *connection; /* whose exchange it carries; NULL: idle */
    bool reused; /* it carried an exchange before: it may have been closed since */
    uint64_t idle_since_ms;
    struct outgoing out;
};

/* A fresh link on a connected descriptor, which is taken over also on failure. */
enum error pool_adopt(struct connection *connection, int fd, struct upstream **out) MUST_CHECK;
/* An idle link to the connection's surface, or NULL. */
struct upstream *pool_take(struct connection *connection);
/* After a whole exchange: kept for another. */
void pool_give(struct upstream *upstream);
/* After its last request: closed as soon as the service answers, or after a while. */
void pool_spend(struct upstream *upstream);
/* Closes and frees; NULL is fine. */
void pool_drop(struct upstream *upstream);
void pool_watch(struct upstream *upstream, int events);
/* Closes what has been idle for too long; with `all`, everything idle. */
void pool_expire(struct worker *worker, bool all);

#endif
