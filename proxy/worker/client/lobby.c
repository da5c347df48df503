#include "worker/client/lobby.h"

#include "worker/client/client.h"

#define ASKING_MS 500 /* the broker answers sooner, if it is not waiting for a service */
#define FRESH_MS  100 /* what it has said may be there, and only not have been read */

/* Whether the first of a line may go now; then those behind it may not yet, either. */
static bool may_go(const struct connection *connection, enum lobby_line line, uint64_t now_ms)
{
    switch (line) {
    case LOBBY_HEAD:
        return now_ms - client_head_since(connection) > FRESH_MS;
    case LOBBY_ASKING:
        return now_ms - connection->client->asked_ms > ASKING_MS;
    case LOBBY_LEAVING:
        return true;
    case LOBBY_LINES:
        break;
    }
    return false;
}

struct connection *lobby_last_in_line(const struct worker *worker)
{
    const struct party *largest = &worker->parties[0];
    uint64_t now_ms = worker_now_ms(worker);

    for (unsigned i = 1; i < LOBBY_PARTIES_MAX; i++) {
        if (worker->parties[i].count > largest->count)
            largest = &worker->parties[i];
    }
    for (enum lobby_line line = 0; line < LOBBY_LINES; line++) {
        struct connection *first = largest->lines[line].first;

        if (first != NULL && may_go(first, line, now_ms))
            return first;
    }
    return NULL;
}

bool lobby_make_room(struct worker *worker)
{
    struct connection *last = lobby_last_in_line(worker);

    if (last == NULL)
        return false;
    quotas_counts(worker->quotas, last->surface_index)->gave_way[QUOTA_STRANGERS]++;
    connection_drop(last, REASON_STRANGERS_FULL);
    connection_cut(last);
    return true;
}
