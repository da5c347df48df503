/* vet_state.c: requests that end without an answer, and what is shared between exchanges. */
#include "vet/vet_state.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static char verb[] = "notifications/cancelled", key[] = "requestId";
static const struct vocabulary vocabulary = {.cancel_verb = verb, .cancel_key = key};

static struct vet_state *create(void)
{
    struct vet_state *state;

    assert_int_equal(vet_state_create(NULL, quota_surface(0), &state), OK);
    return state;
}

static enum reason add(struct vet_state *state, enum direction direction, const char *id)
{
    return vet_state_add(state, direction, &(struct outstanding_request){.id = span_of(id)});
}

static bool waits(struct vet_state *state, enum direction direction, const char *id)
{
    return vet_state_find(state, direction, span_of(id)).at >= 0;
}

static void settle(struct vet_state *state, enum direction direction, const char *id)
{
    vet_state_settle(state, vet_state_find(state, direction, span_of(id)), false);
}

/* Fails one, and how often each side was told. */
static bool end_one(struct vet_state *state, const char *id, bool all, unsigned *told)
{
    const struct vet_ending ending = {&vocabulary, REASON_UPSTREAM_GONE, id, all, false};
    struct buffer client, service;
    bool any;

    buffer_init(&client, 4096);
    buffer_init(&service, 4096);
    any = vet_state_fail(state, &ending, &client, &service);
    assert_int_equal(any, client.length > 0);
    assert_int_equal(any, service.length > 0);
    *told += any;
    buffer_clear(&client);
    buffer_clear(&service);
    return any;
}

/* The service is told once that its work is in vain; what it answers all the same passes, and
 * whoever has no answer in the end is told. */
TEST(test_awaited_to_the_end)
{
    const struct vet_ending ending = {&vocabulary, REASON_CLIENT_PROTOCOL, NULL, true, true};
    struct vet_state *some = create();
    struct buffer service;
    unsigned told = 0;

    buffer_init(&service, 4096);
    assert_int_equal(add(some, DIRECTION_C2S, "1"), REASON_ALLOWED);
    assert_int_equal(add(some, DIRECTION_C2S, "2"), REASON_ALLOWED);
    while (vet_state_fail(some, &ending, NULL, &service)) {
        assert_true(service.length > 0);
        buffer_reset(&service);
        told++;
    }
    assert_int_equal(told, 2);
    assert_true(waits(some, DIRECTION_C2S, "1"));
    settle(some, DIRECTION_C2S, "1");
    assert_true(end_one(some, NULL, true, &told));
    assert_false(end_one(some, NULL, true, &told));
    buffer_clear(&service);
    vet_state_destroy(some);
}

TEST(test_each_is_told_once)
{
    struct vet_state *some = create();
    unsigned told = 0;

    assert_int_equal(add(some, DIRECTION_C2S, "1"), REASON_ALLOWED);
    assert_int_equal(add(some, DIRECTION_C2S, "2"), REASON_ALLOWED);
    assert_int_equal(add(some, DIRECTION_C2S, "3"), REASON_ALLOWED);
    assert_int_equal(add(some, DIRECTION_S2C, "4"), REASON_ALLOWED);
    assert_true(end_one(some, "2", false, &told));
    assert_false(end_one(some, "2", false, &told));
    assert_false(waits(some, DIRECTION_C2S, "2"));
    assert_false(end_one(some, NULL, false, &told)); /* nobody was let go */
    vet_state_let_go(some, "3");
    vet_state_let_go(some, "none");
    assert_true(end_one(some, NULL, false, &told));
    assert_false(waits(some, DIRECTION_C2S, "3"));
    assert_false(end_one(some, NULL, false, &told));
    assert_true(end_one(some, NULL, true, &told));
    assert_false(end_one(some, NULL, true, &told));
    assert_int_equal(told, 3);
    assert_true(waits(some, DIRECTION_S2C, "4")); /* not the client's to be told */
    vet_state_destroy(some);
}

/* Calls that are cancelled by the thousand take no room for ever. */
TEST(test_cancelled_are_bounded)
{
    struct vet_state *some = create();
    unsigned passes = 0;

    for (unsigned i = 0; i < 3 * VET_OUTSTANDING_MAX; i++) {
        char id[16];

        snprintf(id, sizeof(id), "%u", i);
        assert_int_equal(add(some, DIRECTION_C2S, id), REASON_ALLOWED);
        vet_state_cancel(some, DIRECTION_C2S, span_of(id));
    }
    assert_int_equal(some->outstanding[DIRECTION_C2S].count, 0);
    for (unsigned i = 0; i < 3 * VET_OUTSTANDING_MAX; i++) {
        char id[16];

        snprintf(id, sizeof(id), "%u", i);
        passes += waits(some, DIRECTION_C2S, id);
        settle(some, DIRECTION_C2S, id);
        assert_false(waits(some, DIRECTION_C2S, id));
    }
    assert_int_equal(passes, VET_CANCELLED_MAX);
    vet_state_destroy(some);
}

/* An answer that is under way is not taken for another verb's. */
TEST(test_cancelled_id_keeps_its_verb)
{
    const struct outstanding_request call = {.id = span_of("1"), .verb = span_of("tools/call")};
    const struct outstanding_request list = {.id = span_of("1"), .verb = span_of("tools/list")};
    struct vet_state *some = create();

    assert_int_equal(vet_state_add(some, DIRECTION_C2S, &call), REASON_ALLOWED);
    vet_state_cancel(some, DIRECTION_C2S, call.id);
    assert_int_equal(vet_state_add(some, DIRECTION_C2S, &list), REASON_REQUEST_ID_REUSED);
    assert_int_equal(vet_state_add(some, DIRECTION_C2S, &call), REASON_ALLOWED);
    settle(some, DIRECTION_C2S, "1");
    settle(some, DIRECTION_C2S, "1");
    assert_int_equal(vet_state_add(some, DIRECTION_C2S, &list), REASON_ALLOWED);
    vet_state_destroy(some);
}

/* Of exchanges outside of any MCP session: what the service asks is answered in another. */
TEST(test_shared)
{
    struct vet_state *all = create(), *one = create(), *other = create();

    vet_state_share(one, all);
    vet_state_share(other, all);
    assert_int_equal(add(one, DIRECTION_C2S, "1"), REASON_ALLOWED);
    assert_int_equal(add(other, DIRECTION_C2S, "1"), REASON_ALLOWED); /* clients' ids are theirs */
    assert_int_equal(add(one, DIRECTION_S2C, "1"), REASON_ALLOWED);
    assert_int_equal(add(other, DIRECTION_S2C, "1"), REASON_ALLOWED); /* and it counts anew */
    vet_state_destroy(one);
    settle(other, DIRECTION_S2C, "1");
    assert_true(waits(other, DIRECTION_S2C, "1"));
    settle(other, DIRECTION_S2C, "1");
    assert_false(waits(other, DIRECTION_S2C, "1"));
    for (unsigned i = 0; i < 2 * VET_ASKED_MAX; i++) {
        char id[16];

        snprintf(id, sizeof(id), "%u", i);
        assert_int_equal(add(other, DIRECTION_S2C, id), REASON_ALLOWED);
    }
    assert_int_equal(all->memories->asked.list.count, VET_ASKED_MAX);
    vet_state_destroy(other);
    vet_state_destroy(all);
}
