/* What the broker takes away is marked at once, and carries nothing more (worker/client/cut.h). */
#include "unit.h"

#include "worker/client/cut.h"
#include "worker/client/members.h"

#include <stdlib.h>

#define COUNT 3

static struct worker *worker;
static struct connection connections[COUNT];
static unsigned drops;

static void drop(struct connection *connection, enum reason reason)
{
    connection->reason = reason;
    connection->deadline_ms = ++drops;
}

static const struct connection_mode mode = {.drop = drop};
static const struct surface surface = {.name = NULL};

static int set_up(void **state)
{
    (void)state;
    drops = 0;
    worker = calloc(1, sizeof(*worker));
    if (worker == NULL || allowances_create(&worker->allowances) != OK)
        return -1;
    for (size_t i = 0; i < COUNT; i++) {
        connections[i] = (struct connection){
            .worker = worker,
            .surface = &surface,
            .mode = &mode,
            .state = CONNECTION_SERVED,
            .party = NO_PARTY,
            .session_id = "session",
        };
        if (i == COUNT - 1)
            connections[i].session_id[0] = 'o';
        if (!members_join(&connections[i]))
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        members_leave(&connections[i]);
    members_clear(worker);
    allowances_destroy(worker->allowances);
    free(worker);
    return 0;
}

TEST_BETWEEN(test_whoever_is_marked_goes_with_what_comes_next, set_up, tear_down)
{
    cut_session(worker, "session", REASON_SESSION_REVOKED);
    assert_int_equal(drops, 0);
    assert_false(cut_now(&connections[COUNT - 1]));
    for (size_t i = 0; i < COUNT - 1; i++) {
        assert_true(cut_now(&connections[i]));
        assert_int_equal(connections[i].reason, REASON_SESSION_REVOKED);
        assert_false(cut_now(&connections[i]));
    }
    assert_int_equal(drops, COUNT - 1);
    assert_false(cut_go_on(worker));
    assert_int_equal(drops, COUNT - 1);
}

/* Nobody has been dropped yet. */
static void part(struct connection *connection, enum reason reason)
{
    assert_int_equal(drops, 0);
    assert_int_equal(reason, REASON_SESSION_REVOKED);
    connection->requests++;
}

TEST_BETWEEN(test_all_are_told_before_one_is_dropped, set_up, tear_down)
{
    static const struct connection_mode parting = {.drop = drop, .part = part};

    connections[0].mode = connections[1].mode = &parting;
    cut_session(worker, "session", REASON_SESSION_REVOKED);
    assert_false(cut_go_on(worker));
    assert_int_equal(drops, COUNT - 1);
    for (size_t i = 0; i < COUNT - 1; i++) {
        assert_int_equal(connections[i].requests, 1);
        assert_int_equal(connections[i].reason, REASON_SESSION_REVOKED);
    }
}

TEST_BETWEEN(test_whoever_says_nothing_goes_in_turn, set_up, tear_down)
{
    cut_session(worker, "session", REASON_SESSION_REVOKED);
    assert_true(cut_now(&connections[1]));
    assert_false(cut_go_on(worker));
    assert_int_equal(drops, COUNT - 1);
    assert_int_equal(connections[0].reason, REASON_SESSION_REVOKED);
    assert_false(cut_now(&connections[0]));
}
