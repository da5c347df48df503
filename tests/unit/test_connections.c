/* connections.c: the table of live connections, against a plain list. */
#include "broker/core/connections.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IDS      700
#define STEPS    20000
#define PER_TURN 200

static struct surface_state surfaces[3];
static const char *const sessions[] = {"alpha", "beta", "gamma", ""};

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct connections));
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    connections_clear(*state);
    free(*state);
    return 0;
}

static struct incarnation worker_of(uint64_t number)
{
    return (struct incarnation){.worker = (unsigned)(number % 5), .generation = 1 + number % 5};
}

/* The same number always gets the same worker, surface and session. */
static struct connection_entry entry_of(uint64_t id)
{
    struct connection_entry entry = {
        .connection = id, .worker = worker_of(id), .surface = &surfaces[id % 3]};

    strcpy(entry.session_id, sessions[id % 4]);
    return entry;
}

static void add(struct connections *connections, uint64_t id)
{
    struct connection_entry entry = entry_of(id);

    assert_int_equal(connections_add(connections, &entry), OK);
}

static struct connection_entry *find(const struct connections *connections, uint64_t id)
{
    return connections_find(connections, worker_of(id), id);
}

/* If it is there. */
static void take_away(struct connections *connections, uint64_t id)
{
    struct connection_entry *entry = find(connections, id);

    if (entry != NULL)
        connections_remove(connections, entry);
}

#define CONNECTIONS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

CONNECTIONS_TEST(test_counts)
{
    assert_int_equal(connections_of_surface(*state, &surfaces[0]), 0);
    for (uint64_t id = 1; id <= 12; id++)
        add(*state, id);
    assert_int_equal(((struct connections *)*state)->count, 12);
    assert_int_equal(connections_of_surface(*state, &surfaces[0]), 4);
    assert_int_equal(connections_of_session(*state, "beta"), 3);
    assert_int_equal(connections_of_session(*state, ""), 3);
    assert_int_equal(connections_of_session(*state, "nobody"), 0);
    connections_remove(*state, find(*state, 9));
    assert_int_equal(connections_of_surface(*state, &surfaces[0]), 3);
    assert_int_equal(connections_of_session(*state, "beta"), 2);
    assert_null(find(*state, 9));
    assert_null(find(*state, 99));
    assert_int_equal(((struct connections *)*state)->count, 11);
}

CONNECTIONS_TEST(test_refused)
{
    struct connection_entry entry = entry_of(7);

    add(*state, 7);
    assert_int_equal(connections_add(*state, &entry), ERROR_EXISTS);
    entry.connection = 0;
    assert_int_equal(connections_add(*state, &entry), ERROR_INVALID);
    assert_int_equal(((struct connections *)*state)->count, 1);
}

CONNECTIONS_TEST(test_find)
{
    assert_null(find(*state, 1));
    for (uint64_t id = 1; id <= 200; id++)
        add(*state, id << 40);
    for (uint64_t id = 1; id <= 200; id++) {
        const struct connection_entry *entry = find(*state, id << 40);

        assert_non_null(entry);
        assert_int_equal(entry->connection, id << 40);
        assert_int_equal(entry->id, id);
        assert_string_equal(entry->session_id, sessions[(id << 40) % 4]);
        assert_null(find(*state, (id << 40) + 1));
    }
    take_away(*state, UINT64_C(7) << 40);
    assert_null(find(*state, UINT64_C(7) << 40));
    assert_non_null(find(*state, UINT64_C(8) << 40));
    assert_null(find(*state, 0));
}

/* Each that goes with its worker is shown. */
static void forget(void *context, const struct connection_entry *entry)
{
    bool *live = context;

    assert_true(live[entry->connection]);
    live[entry->connection] = false;
}

/* The next process in a worker's place has the same numbers, and none of the other's connections.
 */
CONNECTIONS_TEST(test_incarnations)
{
    struct connection_entry entry = entry_of(1), next = entry_of(1);
    bool live[IDS] = {[1] = true};

    next.worker.generation += 7;
    assert_int_equal(connections_add(*state, &entry), OK);
    connections_end_worker(*state, entry.worker);
    assert_null(connections_find(*state, next.worker, 1));
    assert_int_equal(connections_add(*state, &next), OK);
    assert_int_not_equal(entry.id, next.id);
    assert_false(connections_remove_ended(*state, entry.worker, 2, forget, live));
    assert_false(live[1]);
    assert_null(connections_find(*state, entry.worker, 1));
    assert_int_equal(connections_find(*state, next.worker, 1)->id, next.id);
    assert_int_equal(((struct connections *)*state)->count, 1);
    /* What was once in the log is nobody else's. */
    connections_remove(*state, connections_find(*state, next.worker, 1));
    assert_int_equal(connections_add(*state, &next), OK);
    assert_int_equal(next.id, 3);
}

CONNECTIONS_TEST(test_holders)
{
    for (uint64_t id = 1; id <= 3; id++)
        add(*state, id);
    assert_int_equal(connections_holders(*state, "beta"), 1U << 1);
    assert_int_equal(connections_holders(*state, "gamma"), 1U << 2);
    assert_int_equal(connections_holders(*state, "alpha"), 0);
    add(*state, 9);
    assert_int_equal(connections_holders(*state, "beta"), 1U << 1 | 1U << 4);
    take_away(*state, 1);
    assert_int_equal(connections_holders(*state, "beta"), 1U << 4);
    take_away(*state, 9);
    assert_int_equal(connections_holders(*state, "beta"), 0);
}

CONNECTIONS_TEST(test_limit)
{
    struct connection_entry entry = {.connection = 1};

    while (connections_add(*state, &entry) == OK)
        assert_true(++entry.connection < 1000000);
    assert_int_equal(entry.connection, 65537);
    assert_int_equal(connections_add(*state, &entry), ERROR_LIMIT);
    connections_remove(*state, connections_find(*state, entry.worker, 1));
    assert_int_equal(connections_add(*state, &entry), OK);
}

static void count_removed(void *context, const struct connection_entry *entry)
{
    unsigned *removed = context;

    assert_int_equal(entry->worker.generation, 2);
    (*removed)++;
}

/* With as many as there may be: they go in turns, and meanwhile are in nobody's way. */
CONNECTIONS_TEST(test_a_full_worker_ends)
{
    struct connection_entry entry = entry_of(1), next = entry_of(1), other = entry_of(13);
    unsigned removed = 0, turns = 1;

    next.worker.generation += 5;
    assert_int_equal(connections_add(*state, &other), OK);
    while (connections_add(*state, &entry) == OK)
        entry.connection++;
    assert_int_equal(entry.connection, 65536);
    assert_int_equal(connections_add(*state, &next), ERROR_LIMIT);
    connections_end_worker(*state, entry.worker);
    assert_int_equal(((struct connections *)*state)->count, 1);
    assert_int_equal(connections_add(*state, &next), OK);
    while (connections_remove_ended(*state, entry.worker, PER_TURN, count_removed, &removed)) {
        assert_int_equal(removed, turns * PER_TURN);
        assert_int_equal(connections_of_session(*state, "beta"), 65537 - removed);
        turns++;
    }
    assert_int_equal(turns, 65535 / PER_TURN + 1);
    assert_int_equal(removed, 65535);
    assert_int_equal(((struct connections *)*state)->count, 2);
    assert_int_equal(connections_of_session(*state, "beta"), 2);
    assert_int_equal(connections_of_surface(*state, &surfaces[1]), 2);
    assert_int_equal(connections_holders(*state, "beta"), 1U << 1 | 1U << 3);
    assert_null(connections_find(*state, entry.worker, 1));
    assert_int_equal(connections_find(*state, next.worker, 1)->id, next.id);
    assert_int_equal(connections_find(*state, other.worker, 13)->id, other.id);
}

static void compare(const struct connections *connections, const bool *live)
{
    size_t all = 0, first = 0, alpha = 0;

    for (uint64_t id = 1; id < IDS; id++) {
        all += live[id];
        first += live[id] && id % 3 == 0;
        alpha += live[id] && id % 4 == 0;
    }
    assert_int_equal(connections->count, all);
    assert_int_equal(connections_of_surface(connections, &surfaces[0]), first);
    assert_int_equal(connections_of_session(connections, "alpha"), alpha);
}

/* Random additions, removals and dying workers, compared with an array of flags throughout. */
CONNECTIONS_TEST(test_against_a_plain_list)
{
    bool live[IDS] = {false};

    srand(42);
    for (int step = 0; step < STEPS; step++) {
        uint64_t id = 1 + (uint64_t)rand() % (IDS - 1);
        struct connection_entry entry = entry_of(id);

        if (rand() % 500 == 0) {
            connections_end_worker(*state, entry.worker);
            while (connections_remove_ended(*state, entry.worker, 7, forget, live))
                ;
            for (uint64_t other = entry.worker.worker; other < IDS; other += 5)
                assert_false(live[other]);
        } else if (rand() % 5 < 3) {
            assert_int_equal(connections_add(*state, &entry), live[id] ? ERROR_EXISTS : OK);
            live[id] = true;
        } else {
            take_away(*state, id);
            live[id] = false;
        }
        if (step % 50 == 0)
            compare(*state, live);
    }
    /* Each one that is left can still be found. */
    for (uint64_t id = 1; id < IDS; id++) {
        assert_int_equal(find(*state, id) != NULL, live[id]);
        take_away(*state, id);
        live[id] = false;
    }
    compare(*state, live);
}
