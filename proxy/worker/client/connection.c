#include "worker/client/connection.h"

#include <stdlib.h>

/* ---- Lines ---- */

void connection_stand(struct connection *connection, struct line *line)
{
    struct line *before = connection->line;

    if (before != NULL) {
        if (connection->line_previous != NULL)
            connection->line_previous->line_next = connection->line_next;
        else
            before->first = connection->line_next;
        if (connection->line_next != NULL)
            connection->line_next->line_previous = connection->line_previous;
        else
            before->last = connection->line_previous;
    }
    connection->line = line;
    if (line == NULL)
        return;
    connection->line_next = NULL;
    connection->line_previous = line->last;
    if (line->last != NULL)
        line->last->line_next = connection;
    else
        line->first = connection;
    line->last = connection;
}

/* ---- The lobby ---- */

static const unsigned line_of[] = {
    [CONNECTION_HEAD] = LOBBY_HEAD,
    [CONNECTION_ASKING] = LOBBY_ASKING,
    [CONNECTION_SERVED] = LOBBY_LEAVING, /* it says goodbye */
    [CONNECTION_LINGERING] = LOBBY_LEAVING,
};

static bool is_party_of(const struct party *party, const struct connection *connection)
{
    return party->surface == connection->surface_index && party->uid == connection->caller_uid &&
           party->known == connection->caller_known;
}

/* Its own, or a free one, or the last, which is everybody's then. */
static unsigned find_party(struct worker *worker, const struct connection *connection)
{
    unsigned found = LOBBY_PARTIES_MAX - 1;

    for (unsigned i = LOBBY_PARTIES_MAX; i > 0; i--) {
        const struct party *party = &worker->parties[i - 1];

        if (party->count == 0)
            found = i - 1;
        else if (is_party_of(party, connection))
            return i - 1;
    }
    return found;
}

void connection_enter_lobby(struct connection *connection)
{
    struct worker *worker = connection->worker;
    struct party *party;

    if (connection->party != NO_PARTY)
        return;
    connection->party = (uint8_t)find_party(worker, connection);
    party = &worker->parties[connection->party];
    if (party->count++ == 0) {
        party->surface = connection->surface_index;
        party->uid = connection->caller_uid;
        party->known = connection->caller_known;
    }
    connection_stand(connection, &party->lines[line_of[connection->state]]);
}

void connection_leave_lobby(struct connection *connection)
{
    if (connection->party == NO_PARTY)
        return;
    connection->worker->parties[connection->party].count--;
    connection->party = NO_PARTY;
    connection_stand(connection, NULL);
}

void connection_set_state(struct connection *connection, enum connection_state state)
{
    connection->state = state;
    connection_wake(connection);
    if (connection->party != NO_PARTY)
        connection_stand(connection,
                         &connection->worker->parties[connection->party].lines[line_of[state]]);
}

/* ---- Rest ---- */

static void watch(struct connection *connection, struct watched *watched)
{
    LIST_REMOVE(connection, watched);
    LIST_INSERT_HEAD(watched, connection, watched);
}

void connection_wake(struct connection *connection)
{
    if (connection->resting)
        watch(connection, &connection->worker->awake);
    connection->resting = false;
}

void connection_rest(struct connection *connection, unsigned round)
{
    watch(connection, &connection->worker->resting[round]);
    connection->resting = true;
}

uint64_t connection_expires_ms(const struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    int64_t left_s = connection->expires_at - now_s;

    if (!connection->admitted)
        return NOTHING_DUE;
    return left_s <= 0 ? now_ms : now_ms + (uint64_t)left_s * 1000;
}

/* ---- Beginning and end ---- */

struct connection *connection_create(const struct connection_options *options)
{
    struct worker *worker = options->worker;
    struct connection *connection = calloc(1, sizeof(*connection));

    if (connection == NULL)
        return NULL;
    connection->worker = worker;
    connection->id = ++worker->next_id;
    hash_add(&worker->by_id, &connection->by_id, hash_number(connection->id));
    connection->surface_index = options->surface;
    connection->surface = worker->slots[options->surface].surface;
    worker->slots[options->surface].connections++;
    connection->listener = options->listener;
    connection->mode = options->mode;
    connection->caller_known = options->caller_known;
    connection->caller_uid = options->caller_uid;
    connection->party = NO_PARTY;
    connection->next = worker->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    worker->connections = connection;
    LIST_INSERT_HEAD(&worker->awake, connection, watched);
    worker->connection_count++;
    connection_enter_lobby(connection);
    return connection;
}

struct connection *connection_find(struct worker *worker, uint64_t id)
{
    struct hash_entry *entry = hash_first(&worker->by_id, hash_number(id));
    struct connection *connection;

    for (; entry != NULL; entry = hash_next(entry)) {
        connection = HASH_OWNER(entry, struct connection, by_id);
        if (connection->id == id) {
            connection_wake(connection);
            return connection;
        }
    }
    return NULL;
}

void connection_rename(struct connection *connection)
{
    struct worker *worker = connection->worker;

    hash_remove(&worker->by_id, &connection->by_id);
    connection->id = ++worker->next_id;
    hash_add(&worker->by_id, &connection->by_id, hash_number(connection->id));
}

void connection_drop(struct connection *connection, enum reason reason)
{
    if (connection->state == CONNECTION_LINGERING)
        return;
    connection_wake(connection);
    connection->close_code = reason_info(reason)->close_code;
    connection->mode->drop(connection, reason);
}

void connection_drop_all(struct worker *worker, enum reason reason)
{
    struct connection *next;

    for (struct connection *c = worker->connections; c != NULL; c = next) {
        next = c->next;
        connection_drop(c, reason);
    }
}

void connection_cut(struct connection *connection)
{
    connection_leave_lobby(connection);
    connection->mode->release(connection);
}

static void bury(struct connection *connection)
{
    struct worker *worker = connection->worker;

    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        worker->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    LIST_REMOVE(connection, watched);
    worker->connection_count--;
    hash_remove(&worker->by_id, &connection->by_id);
    connection_leave_lobby(connection);
    connection_stand(connection, NULL);
    connection->next = worker->dead;
    worker->dead = connection;
}

void connection_hold(struct connection *connection)
{
    connection->holds++;
}

void connection_let_go(struct connection *connection)
{
    if (--connection->holds == 0)
        bury(connection);
}

void connection_discard(struct connection *connection)
{
    bury(connection);
}

void connection_reap(struct worker *worker)
{
    while (worker->dead != NULL) {
        struct connection *connection = worker->dead;

        worker->dead = connection->next;
        connection->mode->destroy(connection);
        worker->slots[connection->surface_index].connections--;
        text_list_clear(&connection->session_verbs);
        text_list_clear(&connection->session_targets);
        free(connection->certificate);
        free(connection);
    }
}
