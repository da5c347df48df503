#include "worker/client/rounds.h"

/* All of them, without a word about where they come from. */
static void gather(struct watched *from, struct watched *to)
{
    struct connection *connection;

    while ((connection = LIST_FIRST(from)) != NULL) {
        LIST_REMOVE(connection, watched);
        LIST_INSERT_HEAD(to, connection, watched);
    }
}

static void look_at(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    uint64_t until_ms = connection->mode->tick(connection, now_ms, now_s), rounds;

    rounds = until_ms > now_ms ? (until_ms - now_ms) / ROUND_MS : 0;
    if (connection->holds == 0 || rounds == 0)
        return; /* it is buried, or awake */
    if (rounds >= ROUNDS)
        rounds = ROUNDS - 1;
    connection_rest(connection, (connection->worker->round + (unsigned)rounds) % ROUNDS);
}

void rounds_go_on(struct worker *worker, uint64_t now_ms, int64_t now_s)
{
    struct watched due = LIST_HEAD_INITIALIZER(due);
    struct connection *connection;

    worker->round = (worker->round + 1) % ROUNDS;
    gather(&worker->awake, &due);
    gather(&worker->resting[worker->round], &due);
    /* Whatever goes meanwhile, looked at or not, is in none of them any more. */
    while ((connection = LIST_FIRST(&due)) != NULL) {
        LIST_REMOVE(connection, watched);
        LIST_INSERT_HEAD(&worker->awake, connection, watched);
        connection->resting = false;
        look_at(connection, now_ms, now_s);
    }
}
