/* switching.c: what a surface that leaves waits for before its slot is free. */
#include "broker/core/switching.h"

#include "broker_fixture.h"

#include <string.h>

#define SLOT 5

static const struct incarnation one = {1, 11}, other = {2, 12};

/* A surface that is gone, known to two workers. */
static struct surface_state *make_leaving(struct gate *gate)
{
    struct surface_state *surface = &gate->surfaces.items[SLOT];
    char why[WHY_SIZE];

    assert_int_equal(surfaces_make(gate->surfaces.items[1].config, surface, why), OK);
    surface->leaving = true;
    surface->awaited = UINT32_C(1) << one.worker | UINT32_C(1) << other.worker;
    return surface;
}

static bool is_free(const struct surface_state *surface)
{
    return surface->config == NULL;
}

BROKER_TEST(test_vacated)
{
    struct gate *gate = &((struct broker_fixture *)*state)->gate;
    struct surface_state *surface = make_leaving(gate);

    assert_true(switching_knows(surface, one) && switching_knows(surface, other));
    assert_int_equal(switching_take_vacated(gate, one, surface, NULL), OK);
    assert_false(is_free(surface));
    assert_false(switching_knows(surface, one));
    assert_true(switching_knows(surface, other));
    assert_int_equal(switching_take_vacated(gate, other, surface, NULL), OK);
    assert_true(is_free(surface));
    /* One that is in force is vacated by nobody. */
    assert_int_equal(switching_take_vacated(gate, one, &gate->surfaces.items[0], NULL),
                     ERROR_SYNTAX);
    assert_true(switching_knows(&gate->surfaces.items[0], one));
}

/* Whatever a worker says: connections and questions that the broker knows of keep the slot. */
BROKER_TEST(test_in_use)
{
    struct gate *gate = &((struct broker_fixture *)*state)->gate;
    struct surface_state *surface = make_leaving(gate);
    struct connection_entry entry = {.worker = one, .connection = 7, .surface = surface};
    struct quota_holder holder = quota_surface(SLOT);

    snprintf(entry.session_id, sizeof(entry.session_id), "session");
    assert_int_equal(connections_add(&gate->connections, &entry), OK);
    surface->awaited = UINT32_C(1) << one.worker;
    assert_int_equal(switching_take_vacated(gate, one, surface, NULL), OK);
    assert_false(is_free(surface));
    connections_remove(&gate->connections, connections_find(&gate->connections, one, 7));
    assert_int_equal(quota_take(gate->quotas, QUOTA_SURFACE_QUESTIONS, holder), REASON_ALLOWED);
    assert_int_equal(switching_take_vacated(gate, one, surface, NULL), OK);
    assert_false(is_free(surface));
    quota_give(gate->quotas, QUOTA_SURFACE_QUESTIONS, holder);
    assert_int_equal(switching_take_vacated(gate, one, surface, NULL), OK);
    assert_true(is_free(surface));
}

/* What was counted on the way out is its successor's. */
BROKER_TEST(test_counts)
{
    struct gate *gate = &((struct broker_fixture *)*state)->gate;
    struct surface_state *surface = make_leaving(gate), *next = &gate->surfaces.items[1];

    surface->messages_refused = 3;
    next->messages_refused = 4;
    quotas_counts(gate->quotas, SLOT)->refused[QUOTA_REPORTS] = 5;
    switching_forget(gate, one.worker);
    switching_forget(gate, other.worker);
    assert_int_equal(surface->awaited, 0);
    assert_int_equal(switching_take_vacated(gate, one, surface, NULL), OK);
    assert_true(is_free(surface));
    assert_int_equal(next->messages_refused, 7);
    assert_int_equal(quotas_counts(gate->quotas, 1)->refused[QUOTA_REPORTS], 5);
    assert_int_equal(quotas_counts(gate->quotas, SLOT)->refused[QUOTA_REPORTS], 0);
}

static unsigned done;

static void on_done(void *context)
{
    assert_ptr_equal(context, &done);
    done++;
}

/* Each says it once, or has ended; who was not told says nothing. */
BROKER_TEST(test_switched)
{
    struct gate *gate = &((struct broker_fixture *)*state)->gate;

    done = 0;
    assert_int_equal(switching_take_switched(gate, one), ERROR_SYNTAX);
    gate->switching =
        (struct switching){.awaited = UINT32_C(1) << one.worker | UINT32_C(1) << other.worker,
                           .done = on_done,
                           .context = &done};
    assert_int_equal(switching_take_switched(gate, one), OK);
    assert_int_equal(switching_take_switched(gate, one), ERROR_SYNTAX);
    assert_int_equal(done, 0);
    switching_forget(gate, other.worker);
    assert_int_equal(done, 1);
    switching_forget(gate, one.worker);
    switching_stop(gate);
    assert_int_equal(done, 1);
}
