#include "worker/client/lobby.h"

#include "worker/client/client.h"

#define PARTIES_MAX 16  /* that are told apart; the rest are one */
#define ASKING_MS   500 /* the broker answers sooner, if it is not waiting for a service */
#define FRESH_MS    100 /* what it has said may be there, and only not have been read */

/* In the order in which they go. */
enum rank { RANK_LEAVING = 0, RANK_LATE, RANK_COUNT };

/* The connections of one caller on one surface; `count` has those that do not go now, too. */
struct party {
    uint32_t surface, uid;
    bool known;
    size_t count;
    struct connection *oldest[RANK_COUNT];
};

/* RANK_COUNT: not now. */
static enum rank rank_of(const struct connection *connection, uint64_t now_ms)
{
    switch (connection->state) {
    case CONNECTION_HEAD:
        return now_ms - client_head_since(connection) > FRESH_MS ? RANK_LATE : RANK_COUNT;
    case CONNECTION_ASKING:
        return now_ms - connection->client->asked_ms > ASKING_MS ? RANK_LATE : RANK_COUNT;
    case CONNECTION_SERVED: /* it says goodbye */
    case CONNECTION_LINGERING:
        return RANK_LEAVING;
    }
    return RANK_COUNT;
}

static struct party *party_of(struct party *parties, size_t *count,
                              const struct connection *connection)
{
    size_t i = 0;

    while (i < *count && (parties[i].surface != connection->surface_index ||
                          parties[i].uid != connection->caller_uid ||
                          parties[i].known != connection->caller_known))
        i++;
    if (i == PARTIES_MAX)
        return &parties[PARTIES_MAX - 1];
    if (i == *count) {
        parties[i] = (struct party){.surface = connection->surface_index,
                                    .uid = connection->caller_uid,
                                    .known = connection->caller_known};
        (*count)++;
    }
    return &parties[i];
}

struct connection *lobby_last_in_line(const struct worker *worker)
{
    uint64_t now_ms = worker_now_ms(worker);
    struct party parties[PARTIES_MAX];
    const struct party *largest = NULL;
    size_t count = 0;

    for (struct connection *c = worker->lobby_oldest; c != NULL; c = c->lobby_next) {
        enum rank rank = rank_of(c, now_ms);
        struct party *party = party_of(parties, &count, c);

        party->count++;
        if (rank != RANK_COUNT && party->oldest[rank] == NULL)
            party->oldest[rank] = c;
        if (largest == NULL || party->count > largest->count)
            largest = party;
    }
    for (unsigned rank = 0; largest != NULL && rank < RANK_COUNT; rank++) {
        if (largest->oldest[rank] != NULL)
            return largest->oldest[rank];
    }
    return NULL;
}

bool lobby_make_room(struct worker *worker)
{
    struct connection *last = lobby_last_in_line(worker);

    if (last == NULL)
        return false;
    quotas_counts(worker->quotas, last->surface_index)->gave_way[QUOTA_STRANGERS]++;
    connection_drop(last, REASON_CAPACITY);
    connection_cut(last);
    return true;
}
