/* When connections are looked at (worker/client/rounds.h). */
#include "unit.h"

#include "worker/client/rounds.h"

#include <stdlib.h>

#define COUNT 1000

static struct worker *worker;
static struct connection *connections[COUNT];
static unsigned looks, looks_of[COUNT];
static uint64_t due_ms;
static struct connection *going; /* whoever is looked at lets it go */

static size_t place(const struct connection *connection)
{
    return (size_t)(uintptr_t)connection->served;
}

static uint64_t tick(struct connection *connection, uint64_t now_ms, int64_t now_s)
{
    struct connection *goes = going;

    (void)now_ms;
    (void)now_s;
    looks++;
    looks_of[place(connection)]++;
    going = NULL;
    if (goes != NULL)
        connection_let_go(goes);
    return due_ms;
}

static void drop(struct connection *connection, enum reason reason)
{
    connection->reason = reason;
}

static void destroy(struct connection *connection)
{
    connection->served = NULL;
}

static const struct connection_mode mode = {.tick = tick, .drop = drop, .destroy = destroy};

static void add(size_t at)
{
    const struct connection_options options = {.worker = worker, .mode = &mode};

    connections[at] = connection_create(&options);
    assert_non_null(connections[at]);
    connections[at]->served = (void *)(uintptr_t)at;
    connection_hold(connections[at]);
}

static int set_up(void **state)
{
    (void)state;
    looks = 0;
    due_ms = 0;
    going = NULL;
    worker = calloc(1, sizeof(*worker));
    for (size_t i = 0; i < COUNT; i++)
        looks_of[i] = 0;
    return worker != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    while (worker->connections != NULL)
        connection_let_go(worker->connections);
    connection_reap(worker);
    hash_clear(&worker->by_id);
    free(worker);
    return 0;
}

/* So many rounds from the first millisecond on. */
static unsigned go_on(uint64_t *now_ms, unsigned rounds)
{
    unsigned before = looks;

    for (unsigned i = 0; i < rounds; i++) {
        *now_ms += ROUND_MS;
        rounds_go_on(worker, *now_ms, 0);
    }
    return looks - before;
}

TEST_BETWEEN(test_the_awake_are_looked_at_in_every_round, set_up, tear_down)
{
    uint64_t now_ms = 0;

    add(0);
    add(1);
    assert_int_equal(go_on(&now_ms, 10), 20);
}

TEST_BETWEEN(test_one_at_rest_is_looked_at_when_it_is_due, set_up, tear_down)
{
    uint64_t now_ms = 0;

    add(0);
    due_ms = 10 * ROUND_MS + ROUND_MS / 2;
    assert_int_equal(go_on(&now_ms, 1), 1);
    assert_int_equal(go_on(&now_ms, 8), 0);
    /* In time, from then on in every round until it has done what was due. */
    assert_int_equal(go_on(&now_ms, 3), 3);
    due_ms = NOTHING_DUE;
    assert_int_equal(go_on(&now_ms, 1), 1);
    assert_int_equal(go_on(&now_ms, ROUNDS - 2), 0);
    assert_int_equal(go_on(&now_ms, 1), 1);
}

TEST_BETWEEN(test_a_round_costs_what_happens, set_up, tear_down)
{
    uint64_t now_ms = 0;

    for (size_t i = 0; i < COUNT; i++)
        add(i);
    due_ms = NOTHING_DUE;
    assert_int_equal(go_on(&now_ms, 1), COUNT);
    assert_int_equal(go_on(&now_ms, 10 * (ROUNDS - 1)), 10 * COUNT);
}

TEST_BETWEEN(test_whoever_something_happens_to_is_awake, set_up, tear_down)
{
    uint64_t now_ms = 0;

    add(0);
    add(1);
    due_ms = NOTHING_DUE;
    assert_int_equal(go_on(&now_ms, 1), 2);
    connection_wake(connections[0]);
    connection_wake(connections[0]);
    assert_int_equal(go_on(&now_ms, 1), 1);
    assert_int_equal(looks_of[0], 2);
    connection_set_state(connections[1], CONNECTION_ASKING);
    assert_int_equal(go_on(&now_ms, 1), 1);
    assert_int_equal(looks_of[1], 2);
    assert_non_null(connection_find(worker, connections[0]->id));
    assert_int_equal(go_on(&now_ms, 1), 1);
    connection_drop(connections[1], REASON_CLIENT_CLOSED);
    assert_int_equal(go_on(&now_ms, 1), 1);
    assert_int_equal(looks_of[1], 3);
    assert_int_equal(go_on(&now_ms, 1), 0);
}

TEST_BETWEEN(test_one_goes_while_it_or_another_is_looked_at, set_up, tear_down)
{
    uint64_t now_ms = 0;

    for (size_t i = 0; i < 3; i++)
        add(i);
    due_ms = NOTHING_DUE;
    going = connections[1];
    go_on(&now_ms, 1);
    assert_true(looks_of[1] <= 1);
    connection_reap(worker);
    assert_int_equal(worker->connection_count, 2);
    /* At rest, and awake: nobody is looked at any more who has gone. */
    connection_let_go(connections[0]);
    connection_wake(connections[2]);
    connection_let_go(connections[2]);
    connection_reap(worker);
    assert_int_equal(go_on(&now_ms, 2 * ROUNDS), 0);
    add(0);
    going = connections[0];
    assert_int_equal(go_on(&now_ms, 2 * ROUNDS), 1);
}

TEST_BETWEEN(test_a_session_ends_at_its_second, set_up, tear_down)
{
    add(0);
    assert_true(connection_expires_ms(connections[0], 5000, 100) == NOTHING_DUE);
    connections[0]->admitted = true;
    connections[0]->expires_at = 107;
    assert_int_equal(connection_expires_ms(connections[0], 5000, 100), 12000);
    assert_int_equal(connection_expires_ms(connections[0], 5000, 107), 5000);
    assert_int_equal(connection_expires_ms(connections[0], 5000, 200), 5000);
}
