/* endings.c: the connections of a worker that has ended go some a turn of the loop. */
#include "broker_fixture.h"

#include "broker/core/endings.h"

#define CONNECTIONS 65000

static const struct incarnation first = {.worker = 1, .generation = 7};
static const struct incarnation other = {.worker = 2, .generation = 8};

static struct endings endings;

static int set_up(void **state)
{
    struct broker_fixture *fixture;

    if (broker_fixture_make(state) != 0)
        return -1;
    fixture = *state;
    if (uv_loop_init(&fixture->gate.loop) != 0)
        return -1;
    endings_open(&endings, &fixture->gate);
    return 0;
}

static int tear_down(void **state)
{
    struct broker_fixture *fixture = *state;

    if (!uv_is_closing((uv_handle_t *)&endings.idle))
        endings_close(&endings);
    uv_run(&fixture->gate.loop, UV_RUN_DEFAULT);
    uv_loop_close(&fixture->gate.loop);
    return broker_fixture_drop(state);
}

#define ENDINGS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static void grant(struct gate *gate, struct incarnation worker, unsigned count)
{
    struct connection_entry entry = {
        .worker = worker, .surface = &gate->surfaces.items[0], .session_id = "alpha"};

    while (entry.connection < count) {
        entry.connection++;
        assert_int_equal(connections_add(&gate->connections, &entry), OK);
    }
}

static size_t left(const struct gate *gate)
{
    return connections_of_session(&gate->connections, "alpha");
}

static unsigned lines(const struct broker_fixture *fixture)
{
    unsigned count = 0;

    for (const char *at = fixture_audit(fixture); (at = strstr(at, "\"event\":\"closed\"")) != NULL;
         at++)
        count++;
    return count;
}

ENDINGS_TEST(test_some_a_turn)
{
    struct broker_fixture *fixture = *state;
    struct gate *gate = &fixture->gate;
    size_t before;

    grant(gate, first, CONNECTIONS);
    grant(gate, other, 3);
    endings_begin(&endings, first, REASON_WORKER_LOST);
    assert_int_equal(left(gate), CONNECTIONS + 3 - ENDINGS_PER_TURN);
    assert_int_equal(gate->connections.count, 3);
    while (endings_are_left(&endings, first.worker)) {
        before = left(gate);
        uv_run(&gate->loop, UV_RUN_NOWAIT);
        assert_in_range(before - left(gate), 0, ENDINGS_PER_TURN);
        assert_true(before > left(gate) || !endings_are_left(&endings, first.worker));
    }
    assert_int_equal(left(gate), 3);
    assert_int_equal(lines(fixture), ENDINGS_PER_TURN);
    assert_int_equal(gate->lines.suppressed, CONNECTIONS - ENDINGS_PER_TURN);
    /* Nothing is left to be done: the loop may sleep. */
    uv_run(&gate->loop, UV_RUN_NOWAIT);
    assert_false(uv_is_active((uv_handle_t *)&endings.idle));
}

ENDINGS_TEST(test_few_go_at_once)
{
    struct broker_fixture *fixture = *state;

    grant(&fixture->gate, first, 2);
    endings_begin(&endings, first, REASON_WORKER_LOST);
    assert_false(endings_are_left(&endings, first.worker));
    assert_int_equal(left(&fixture->gate), 0);
    assert_int_equal(lines(fixture), 2);
    assert_false(uv_is_active((uv_handle_t *)&endings.idle));
}

/* Two workers at once are no more a turn than one; at the end all are counted. */
ENDINGS_TEST(test_two_and_the_end)
{
    struct broker_fixture *fixture = *state;
    struct gate *gate = &fixture->gate;
    size_t before;

    grant(gate, first, 1000);
    grant(gate, other, 1000);
    endings_begin(&endings, first, REASON_DRAINING);
    endings_begin(&endings, other, REASON_DRAINING);
    before = left(gate);
    uv_run(&gate->loop, UV_RUN_NOWAIT);
    assert_int_equal(before - left(gate), ENDINGS_PER_TURN);
    endings_close(&endings);
    assert_int_equal(left(gate), 0);
    assert_int_equal(gate->lines.suppressed, 2000 - 2 * ENDINGS_PER_TURN);
}
