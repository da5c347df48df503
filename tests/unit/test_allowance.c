/* allowance.c: one second's worth at once, what is waited for, and what is refused. */
#include "policy/allowance.h"

#include "unit.h"

#include <string.h>

#define START_MS 5000

static struct allowances *allowances;
static struct surface_limits limits;

static int make(void **state)
{
    (void)state;
    limits = (struct surface_limits){.requests_per_second = 10,
                                     .messages_per_second = 1000000,
                                     .bytes_per_second = UINT32_MAX,
                                     .connections_per_second = 3};
    return allowances_create(&allowances) == OK ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    allowances_destroy(allowances);
    allowances = NULL;
    return 0;
}

#define ALLOWANCE_TEST(test) TEST_BETWEEN(test, make, drop)

static struct allowance *of(const char *session_id)
{
    struct allowance *allowance = allowance_open(allowances, quota_session(0, session_id), &limits);

    assert_non_null(allowance);
    return allowance;
}

/* How many of so many there are, are owed and are refused at one time. */
static void try(struct allowance *allowance, unsigned tries, uint64_t now_ms,
                unsigned found[ALLOWANCE_THERE + 1])
{
    memset(found, 0, (ALLOWANCE_THERE + 1) * sizeof(*found));
    for (unsigned i = 0; i < tries; i++)
        found[allowance_pay(allowance, ALLOWANCE_REQUESTS, 1, now_ms)]++;
}

ALLOWANCE_TEST(test_one_second_at_once_then_five_are_owed)
{
    unsigned found[ALLOWANCE_THERE + 1] = {0};
    struct allowance *greedy = of("greedy"), *other = of("other");

    try(greedy, 100, START_MS, found);
    assert_int_equal(found[ALLOWANCE_THERE], 10);
    assert_int_equal(found[ALLOWANCE_OWED], 10 * ALLOWANCE_PATIENCE_MS / 1000);
    assert_int_equal(found[ALLOWANCE_EXCEEDED], 40);
    assert_int_equal(allowance_wait_ms(greedy, ALLOWANCE_REQUESTS), ALLOWANCE_PATIENCE_MS + 1);
    try(other, 10, START_MS, found);
    assert_int_equal(found[ALLOWANCE_THERE], 10);
    assert_int_equal(allowance_wait_ms(other, ALLOWANCE_REQUESTS), 0);
}

/* Whoever waits as long as is asked is served at its rate, and refused when that goes on. */
ALLOWANCE_TEST(test_patience_has_an_end)
{
    struct allowance *greedy = of("greedy");
    uint64_t now_ms = START_MS;
    unsigned served = 0;

    while (allowance_pay(greedy, ALLOWANCE_REQUESTS, 1, now_ms) != ALLOWANCE_EXCEEDED) {
        served++;
        now_ms += allowance_wait_ms(greedy, ALLOWANCE_REQUESTS);
    }
    assert_in_range(now_ms - START_MS, ALLOWANCE_PATIENCE_MS, ALLOWANCE_PATIENCE_MS + 200);
    assert_in_range(served, 10 + 45, 10 + 52);
    /* Half of its second's rest, and it is waited for again. */
    now_ms += 700;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(allowance_pay(greedy, ALLOWANCE_REQUESTS, 1, now_ms), ALLOWANCE_THERE);
    for (unsigned i = 0; i < 5; i++)
        assert_int_not_equal(allowance_pay(greedy, ALLOWANCE_REQUESTS, 1, now_ms),
                             ALLOWANCE_EXCEEDED);
}

ALLOWANCE_TEST(test_at_its_rate_nobody_waits)
{
    struct allowance *honest = of("honest");

    for (uint64_t now_ms = START_MS; now_ms < START_MS + 60000; now_ms += 100)
        assert_int_equal(allowance_pay(honest, ALLOWANCE_REQUESTS, 1, now_ms), ALLOWANCE_THERE);
}

/* What is larger than a second's worth passes, and is paid for after. */
ALLOWANCE_TEST(test_one_that_is_larger_than_all)
{
    struct allowance *sender = of("sender");
    const uint64_t bytes = 3 * (uint64_t)UINT32_MAX;

    assert_int_equal(allowance_pay(sender, ALLOWANCE_BYTES, bytes, START_MS), ALLOWANCE_OWED);
    assert_int_equal(allowance_wait_ms(sender, ALLOWANCE_BYTES), 2001);
    assert_int_equal(allowance_pay(sender, ALLOWANCE_BYTES, 1, START_MS), ALLOWANCE_OWED);
    assert_int_equal(allowance_pay(sender, ALLOWANCE_BYTES, 1, START_MS + 3000), ALLOWANCE_THERE);
    assert_int_equal(allowance_pay(sender, ALLOWANCE_BYTES, bytes, UINT64_MAX), ALLOWANCE_OWED);
    assert_int_equal(allowance_owe(sender, ALLOWANCE_BYTES, bytes, UINT64_MAX), ALLOWANCE_OWED);
    assert_int_equal(allowance_wait_ms(sender, ALLOWANCE_BYTES), 5001);
}

ALLOWANCE_TEST(test_what_is_not_waited_for)
{
    struct allowance *caller = allowance_open(allowances, quota_caller(0, 7), &limits);

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(allowance_take(caller, ALLOWANCE_CONNECTIONS, 1, START_MS),
                         ALLOWANCE_THERE);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(allowance_take(caller, ALLOWANCE_CONNECTIONS, 1, START_MS),
                         ALLOWANCE_EXCEEDED);
    assert_int_equal(allowance_take(caller, ALLOWANCE_CONNECTIONS, 1, START_MS + 334),
                     ALLOWANCE_THERE);
    assert_int_equal(allowance_take(caller, ALLOWANCE_CONNECTIONS, 1, START_MS + 334),
                     ALLOWANCE_EXCEEDED);
}

ALLOWANCE_TEST(test_without_a_limit)
{
    struct allowance *free_one;

    limits.requests_per_second = 0;
    free_one = of("free");
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(allowance_pay(free_one, ALLOWANCE_REQUESTS, 1, START_MS), ALLOWANCE_THERE);
    assert_int_equal(allowance_owe(free_one, ALLOWANCE_REQUESTS, 1, START_MS), ALLOWANCE_THERE);
    assert_int_equal(allowance_wait_ms(free_one, ALLOWANCE_REQUESTS), 0);
}

/* To go and come again regains nothing; once all is paid back, nothing is kept. */
ALLOWANCE_TEST(test_who_comes_again)
{
    unsigned found[ALLOWANCE_THERE + 1] = {0};
    struct allowance *first = of("one");

    assert_ptr_equal(of("one"), first);
    try(first, 10, START_MS, found);
    allowance_close(first);
    allowances_settle(allowances, START_MS + 2000);
    allowance_close(first);
    try(of("one"), 10, START_MS, found);
    assert_int_equal(found[ALLOWANCE_THERE], 0);
    allowance_close(first);
    allowances_settle(allowances, START_MS + 999);
    assert_ptr_equal(of("one"), first);
    allowance_close(first);
    allowances_vacate(allowances, 1);
    allowances_settle(allowances, START_MS + 60000);
    limits.requests_per_second = 7; /* another one is made, with what is in force now */
    try(of("one"), 10, START_MS, found);
    assert_int_equal(found[ALLOWANCE_THERE], 7);
}

ALLOWANCE_TEST(test_a_surface_that_goes_takes_all_with_it)
{
    unsigned found[ALLOWANCE_THERE + 1] = {0};
    struct allowance *one = of("one");

    try(one, 100, START_MS, found);
    allowance_close(one);
    allowances_vacate(allowances, 0);
    try(of("one"), 10, START_MS, found);
    assert_int_equal(found[ALLOWANCE_THERE], 10);
}

/* What cannot be counted is not let pass. */
ALLOWANCE_TEST(test_holders_are_bounded)
{
    unsigned opened = 0;

    for (uint32_t uid = 0; uid < 70000; uid++)
        opened += allowance_open(allowances, quota_caller(0, uid), &limits) != NULL ? 1 : 0;
    assert_int_equal(opened, 65536);
}
