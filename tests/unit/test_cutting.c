/* cutting.c: whoever asked for a cut hears when the last connection has gone, and not before. */
#include "broker/core/cutting.h"

#include "broker_fixture.h"

#include <string.h>

static const struct incarnation one = {1, 11}, other = {2, 12};

static unsigned ended;

static void note_end(struct cutting *cutting)
{
    (void)cutting;
    ended++;
}

static struct gate *open_gate(void **state)
{
    struct gate *gate = &((struct broker_fixture *)*state)->gate;

    ended = 0;
    assert_int_equal(uv_loop_init(&gate->loop), 0);
    cutting_open(gate);
    return gate;
}

static void close_gate(struct gate *gate)
{
    uv_close((uv_handle_t *)&gate->cutting_patience, NULL);
    uv_run(&gate->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&gate->loop), 0);
}

static void connect_to(struct gate *gate, size_t slot, struct incarnation worker, uint64_t number)
{
    struct connection_entry entry = {
        .worker = worker, .connection = number, .surface = &gate->surfaces.items[slot]};

    snprintf(entry.session_id, sizeof(entry.session_id), "session");
    assert_int_equal(connections_add(&gate->connections, &entry), OK);
}

static void close_one(struct gate *gate, struct incarnation worker, uint64_t number)
{
    connections_remove(&gate->connections, connections_find(&gate->connections, worker, number));
    cutting_look(gate);
}

static struct cutting of(size_t slot)
{
    struct cutting cutting = {.done = note_end};

    cutting.slots[slot] = true;
    return cutting;
}

BROKER_TEST(test_none_is_there)
{
    struct gate *gate = open_gate(state);
    struct cutting cutting = of(1);

    connect_to(gate, 0, one, 1);
    cutting_begin(gate, &cutting, REASON_SURFACE_KILLED);
    assert_string_equal(fixture_told, "surface 1 surface_killed\n");
    assert_int_equal(ended, 1);
    assert_int_equal(cutting.connections, 0);
    assert_false(cutting_waits_for(gate, &gate->surfaces.items[1]));
    close_gate(gate);
}

BROKER_TEST(test_until_the_last_has_gone)
{
    struct gate *gate = open_gate(state);
    struct cutting cutting = of(1);

    connect_to(gate, 0, one, 1);
    connect_to(gate, 1, one, 2);
    connect_to(gate, 1, other, 2);
    cutting_begin(gate, &cutting, REASON_SURFACE_KILLED);
    assert_int_equal(cutting.connections, 2);
    assert_true(cutting_waits_for(gate, &gate->surfaces.items[1]));
    assert_false(cutting_waits_for(gate, &gate->surfaces.items[0]));
    close_one(gate, one, 2);
    assert_int_equal(ended, 0);
    close_one(gate, one, 1);
    assert_int_equal(ended, 0);
    close_one(gate, other, 2);
    assert_int_equal(ended, 1);
    close_gate(gate);
}

/* Of several, one whose connections have gone may serve again while others are waited for. */
BROKER_TEST(test_a_slot_is_meant_once)
{
    struct gate *gate = open_gate(state);
    struct cutting cutting = of(0);

    cutting.slots[1] = true;
    connect_to(gate, 0, one, 1);
    connect_to(gate, 1, one, 2);
    cutting_begin(gate, &cutting, REASON_SURFACE_KILLED);
    assert_string_equal(fixture_told, "surface 0 surface_killed\nsurface 1 surface_killed\n");
    close_one(gate, one, 1);
    connect_to(gate, 0, one, 3);
    close_one(gate, one, 2);
    assert_int_equal(ended, 1);
    close_gate(gate);
}

/* Two that wait for the same; a worker that lets go of one now and then is not ended. */
BROKER_TEST(test_patience)
{
    struct gate *gate = open_gate(state);
    struct cutting cutting = of(1), again = of(1);

    connect_to(gate, 1, other, 1);
    connect_to(gate, 1, other, 2);
    cutting_begin(gate, &cutting, REASON_SURFACE_KILLED);
    fixture_told[0] = '\0';
    cutting.moved_ms -= CUTTING_PATIENCE_MS;
    close_one(gate, other, 1);
    uv_run(&gate->loop, UV_RUN_ONCE);
    assert_string_equal(fixture_told, "");
    cutting_begin(gate, &again, REASON_SURFACE_KILLED);
    fixture_told[0] = '\0';
    cutting.moved_ms -= CUTTING_PATIENCE_MS;
    uv_run(&gate->loop, UV_RUN_ONCE);
    assert_string_equal(fixture_told, "end 4 allowed\n");
    close_one(gate, other, 2);
    assert_int_equal(ended, 2);
    close_gate(gate);
}

BROKER_TEST(test_nobody_waits_for_a_broker_that_ends)
{
    struct gate *gate = open_gate(state);
    struct cutting cutting = of(1), again = of(1);

    connect_to(gate, 1, one, 1);
    cutting_begin(gate, &cutting, REASON_SURFACE_KILLED);
    cutting_begin(gate, &again, REASON_SURFACE_KILLED);
    cutting_stop(gate);
    assert_int_equal(ended, 2);
    close_gate(gate);
}
