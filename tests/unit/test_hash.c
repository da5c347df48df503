/* base/hash.h: things are found by their keys, however many there are. */
#include "base/hash.h"

#include "unit.h"

#include <stdlib.h>

#define MANY 10000

struct thing {
    struct hash_entry entry;
    uint64_t key;
};

static struct thing things[MANY];
static struct hash_table table;

static int set_up(void **state)
{
    (void)state;
    table = (struct hash_table){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    hash_clear(&table);
    return 0;
}

#define HASH_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static void add(size_t i, uint64_t hash)
{
    things[i].key = i;
    hash_add(&table, &things[i].entry, hash);
}

/* How many entries were looked at, until it was there; 0: it is not. */
static size_t steps_to(uint64_t key, uint64_t hash)
{
    struct hash_entry *entry = hash_first(&table, hash);

    for (size_t steps = 1; entry != NULL; entry = hash_next(entry), steps++) {
        if (HASH_OWNER(entry, struct thing, entry)->key == key)
            return steps;
    }
    return 0;
}

HASH_TEST(test_empty)
{
    assert_null(hash_first(&table, 0));
    assert_null(hash_any(&table, &(size_t){0}));
}

HASH_TEST(test_all_of_many_are_found)
{
    for (size_t i = 0; i < MANY; i++)
        add(i, hash_number(i));
    assert_int_equal(table.count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(steps_to(i, hash_number(i)), 1);
    assert_int_equal(steps_to(MANY, hash_number(MANY)), 0);
}

/* No bucket has many: as soon found among ten thousand as among ten. */
HASH_TEST(test_buckets_stay_short)
{
    size_t longest = 0;

    for (size_t i = 0; i < MANY; i++)
        add(i, hash_number(i));
    for (size_t i = 0; i < table.size; i++) {
        size_t length = 0;

        for (struct hash_entry *at = table.buckets[i]; at != NULL; at = at->next)
            length++;
        longest = length > longest ? length : longest;
    }
    assert_in_range(longest, 1, 16);
}

HASH_TEST(test_what_is_removed_is_gone)
{
    for (size_t i = 0; i < MANY; i++)
        add(i, hash_number(i));
    for (size_t i = 0; i < MANY; i += 2)
        hash_remove(&table, &things[i].entry);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(steps_to(i, hash_number(i)), i % 2);
    assert_int_equal(table.count, MANY / 2);
}

/* Keys that share a hash are all found. */
HASH_TEST(test_one_hash)
{
    for (size_t i = 0; i < 100; i++)
        add(i, 7);
    for (size_t i = 0; i < 100; i++)
        assert_in_range(steps_to(i, 7), 1, 100);
    hash_remove(&table, &things[50].entry);
    assert_int_equal(steps_to(50, 7), 0);
    assert_in_range(steps_to(0, 7), 1, 99);
    assert_int_equal(steps_to(0, 8), 0);
}

HASH_TEST(test_any_until_none_is_left)
{
    struct hash_entry *entry;
    size_t bucket = 0, count = 0;

    for (size_t i = 0; i < 1000; i++)
        add(i, hash_number(i));
    for (; (entry = hash_any(&table, &bucket)) != NULL; count++)
        hash_remove(&table, entry);
    assert_int_equal(count, 1000);
    assert_int_equal(table.count, 0);
}

HASH_TEST(test_bytes)
{
    assert_int_equal(hash_text(1, "one"), hash_bytes(1, "one", 3));
    assert_int_not_equal(hash_text(1, "one"), hash_text(2, "one"));
    assert_int_not_equal(hash_text(1, "one"), hash_text(1, "two"));
    assert_int_not_equal(hash_text(1, ""), hash_text(2, ""));
}
