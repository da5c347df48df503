/* slots.c: a surface that stays keeps its slot, and nobody gets one that is in use. */
#include "broker/core/slots.h"

#include "unit.h"

#include <string.h>

#define N SLOTS_NONE

static bool taken[CONFIG_SLOTS_MAX];

static void take(const char *map)
{
    memset(taken, 0, sizeof(taken));
    for (size_t i = 0; map[i] != '\0'; i++)
        taken[i] = map[i] == 'x';
}

TEST(test_assign)
{
    static const struct {
        const char *taken;
        size_t count;
        uint32_t before[5], after[5];
    } rows[] = {
        {"", 3, {N, N, N}, {0, 1, 2}},          /* at the start */
        {"xxx", 3, {0, 1, 2}, {0, 1, 2}},       /* all stay */
        {"xxx", 3, {2, 0, 1}, {2, 0, 1}},       /* also in another order */
        {"xxx", 3, {0, N, 2}, {0, 3, 2}},       /* one has changed: never into its own */
        {"x-x", 4, {N, 0, N, 2}, {1, 0, 3, 2}}, /* what is free is used first */
        {"xxxx-x", 1, {N}, {4}},                /* others leave */
        {"x", 0, {0}, {0}},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t slots[5];

        take(rows[i].taken);
        memcpy(slots, rows[i].before, sizeof(slots));
        assert_int_equal(slots_assign(taken, slots, rows[i].count), OK);
        assert_memory_equal(slots, rows[i].after, rows[i].count * sizeof(slots[0]));
    }
}

/* All of a full configuration may change at once, but not again before they have left. */
TEST(test_limit)
{
    uint32_t slots[CONFIG_SURFACES_MAX + 1];

    take("");
    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++) {
        taken[i] = true;
        slots[i] = N;
    }
    assert_int_equal(slots_assign(taken, slots, CONFIG_SURFACES_MAX), OK);
    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++)
        assert_int_equal(slots[i], CONFIG_SURFACES_MAX + i);
    for (size_t i = 0; i < CONFIG_SURFACES_MAX; i++)
        taken[slots[i]] = true;
    taken[CONFIG_SLOTS_MAX - 1] = false;
    slots[0] = 0;
    slots[1] = slots[2] = N;
    assert_int_equal(slots_assign(taken, slots, 3), ERROR_LIMIT);
    assert_int_equal(slots[1], N);
    assert_int_equal(slots_assign(taken, slots, 2), OK);
    assert_int_equal(slots[1], CONFIG_SLOTS_MAX - 1);
}
