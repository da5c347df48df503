/* connections.c: the table of live connections, against a plain list. */
#include "broker/core/connections.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define IDS   700
#define STEPS 20000

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

/* The same id always gets the same worker, surface and session. */
static struct connection_entry entry_of(uint64_t id)
{
    struct connection_entry entry = {
        .id = id, .worker = (unsigned)(id % 5), .surface = &surfaces[id % 3]};

    strcpy(entry.session_id, sessions[id % 4]);
    return entry;
}

static void add(struct connections *connections, uint64_t id)
{
    const struct connection_entry entry = entry_of(id);

    assert_int_equal(connections_add(connections, &entry), OK);
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
    connections_remove(*state, 9);
    assert_int_equal(connections_of_surface(*state, &surfaces[0]), 3);
    assert_int_equal(connections_of_session(*state, "beta"), 2);
    connections_remove(*state, 9);
    connections_remove(*state, 0);
    connections_remove(*state, 99);
    assert_int_equal(((struct connections *)*state)->count, 11);
}

CONNECTIONS_TEST(test_refused)
{
    struct connection_entry entry = entry_of(7);

    add(*state, 7);
    assert_int_equal(connections_add(*state, &entry), ERROR_EXISTS);
    entry.id = 0;
    assert_int_equal(connections_add(*state, &entry), ERROR_INVALID);
    assert_int_equal(((struct connections *)*state)->count, 1);
}

CONNECTIONS_TEST(test_find)
{
    assert_null(connections_find(*state, 1));
    for (uint64_t id = 1; id <= 200; id++)
        add(*state, id << 40);
    for (uint64_t id = 1; id <= 200; id++) {
        const struct connection_entry *entry = connections_find(*state, id << 40);

        assert_non_null(entry);
        assert_int_equal(entry->id, id << 40);
        assert_string_equal(entry->session_id, sessions[(id << 40) % 4]);
        assert_null(connections_find(*state, (id << 40) + 1));
    }
    connections_remove(*state, UINT64_C(7) << 40);
    assert_null(connections_find(*state, UINT64_C(7) << 40));
    assert_non_null(connections_find(*state, UINT64_C(8) << 40));
    /* 0 marks a free bucket: it is nobody's id. */
    assert_null(connections_find(*state, 0));
}

CONNECTIONS_TEST(test_limit)
{
    struct connection_entry entry = {.id = 1};

    while (connections_add(*state, &entry) == OK)
        assert_true(++entry.id < 1000000);
    assert_int_equal(entry.id, 65537);
    assert_int_equal(connections_add(*state, &entry), ERROR_LIMIT);
    connections_remove(*state, 1);
    assert_int_equal(connections_add(*state, &entry), OK);
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
        const struct connection_entry entry = entry_of(id);

        if (rand() % 500 == 0) {
            connections_remove_worker(*state, entry.worker);
            for (uint64_t other = entry.worker; other < IDS; other += 5)
                live[other] = false;
        } else if (rand() % 5 < 3) {
            assert_int_equal(connections_add(*state, &entry), live[id] ? ERROR_EXISTS : OK);
            live[id] = true;
        } else {
            connections_remove(*state, id);
            live[id] = false;
        }
        if (step % 50 == 0)
            compare(*state, live);
    }
    /* Each one that is left can still be found. */
    for (uint64_t id = 1; id < IDS; id++) {
        connections_remove(*state, id);
        live[id] = false;
    }
    compare(*state, live);
}
