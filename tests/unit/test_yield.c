/* policy/yield.h: a holder's own oldest gives way, or the oldest of whoever has the most. */
#include "policy/yield.h"

#include "unit.h"

#define MANY 64

static struct yields yields;
static struct yield_item items[MANY];

static int set_up(void **state)
{
    (void)state;
    yields = (struct yields){0};
    for (size_t i = 0; i < MANY; i++)
        items[i] = (struct yield_item){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < MANY; i++)
        yield_remove(&yields, &items[i]);
    yields_clear(&yields);
    return 0;
}

#define YIELD_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static void add(size_t i, const char *who)
{
    const struct quota_holder holder = quota_session(0, who);

    assert_true(yield_add(&yields, &items[i], &holder));
}

static struct yield_item *oldest_of(const char *who)
{
    const struct quota_holder holder = quota_session(0, who);

    return yield_oldest_of(&yields, &holder);
}

YIELD_TEST(test_oldest_of_a_holder)
{
    add(0, "one");
    add(1, "one");
    add(2, "other");
    assert_ptr_equal(oldest_of("one"), &items[0]);
    yield_remove(&yields, &items[0]);
    assert_ptr_equal(oldest_of("one"), &items[1]);
    yield_remove(&yields, &items[1]);
    assert_null(oldest_of("one"));
    assert_ptr_equal(oldest_of("other"), &items[2]);
    assert_null(oldest_of("nobody"));
}

YIELD_TEST(test_of_the_richest)
{
    assert_null(yield_of_richest(&yields, 0));
    add(0, "one");
    for (size_t i = 1; i < 4; i++)
        add(i, "three");
    for (size_t i = 4; i < 6; i++)
        add(i, "two");
    assert_ptr_equal(yield_of_richest(&yields, 1), &items[1]);
    assert_ptr_equal(yield_of_richest(&yields, 3), &items[1]);
    assert_null(yield_of_richest(&yields, 4));
    yield_remove(&yields, &items[1]);
    yield_remove(&yields, &items[2]);
    assert_ptr_equal(yield_of_richest(&yields, 2), &items[4]);
}

/* What is in use does not give way, but it is held: who holds much of it is rich. */
YIELD_TEST(test_in_use)
{
    for (size_t i = 0; i < 4; i++)
        add(i, "rich");
    add(4, "two");
    add(5, "two");
    for (size_t i = 0; i < 3; i++)
        yield_keep(&yields, &items[i], true);
    assert_ptr_equal(yield_of_richest(&yields, 0), &items[3]);
    yield_keep(&yields, &items[3], true);
    assert_ptr_equal(yield_of_richest(&yields, 0), &items[4]);
    assert_null(oldest_of("rich"));
    /* It is the newest when it gives way again. */
    yield_keep(&yields, &items[2], false);
    yield_keep(&yields, &items[0], false);
    assert_ptr_equal(yield_of_richest(&yields, 0), &items[2]);
    yield_remove(&yields, &items[3]);
    yield_remove(&yields, &items[2]);
    assert_ptr_equal(oldest_of("rich"), &items[0]);
}

/* Beyond the ranks there are, the richest are one. */
YIELD_TEST(test_more_than_ranks)
{
    static struct yield_item many[2 * YIELD_RANKS];
    const struct quota_holder holder = quota_session(0, "rich");

    for (size_t i = 0; i < 2 * YIELD_RANKS; i++)
        assert_true(yield_add(&yields, &many[i], &holder));
    for (size_t i = 0; i < 2 * YIELD_RANKS; i++) {
        assert_ptr_equal(yield_of_richest(&yields, 0), &many[i]);
        yield_remove(&yields, &many[i]);
    }
    assert_null(yield_of_richest(&yields, 0));
}
