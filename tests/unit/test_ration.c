/* ration.c: a burst at once, then so much a second; what is too much is counted. */
#include "base/ration.h"

#include "unit.h"

#define LINE 1000
#define NOW  UINT64_C(123456789)

static size_t pay(struct ration *ration, size_t lines, uint64_t now_ms)
{
    size_t paid = 0;

    for (size_t i = 0; i < lines; i++)
        paid += ration_pay(ration, LINE, now_ms) ? 1 : 0;
    return paid;
}

TEST(test_a_burst_and_then_so_much_a_second)
{
    const size_t burst = RATION_BURST_BYTES / (LINE + RATION_LINE_COST) + 1;
    const size_t second = RATION_BYTES_PER_SECOND / (LINE + RATION_LINE_COST);
    struct ration ration = {0};
    size_t paid;

    assert_int_equal(pay(&ration, burst + 10, NOW), burst);
    assert_int_equal(ration.lost, 10 * LINE);
    paid = pay(&ration, 100, NOW + 1000);
    assert_true(paid >= second && paid <= second + 1);
    assert_int_equal(ration.lost, (10 + 100 - paid) * LINE);
    assert_int_equal(pay(&ration, burst, NOW + 1000 + 1000 * 3600), burst);
}

TEST(test_lines_without_a_byte_cost_something)
{
    struct ration ration = {0};
    size_t paid = 0;

    while (ration_pay(&ration, 0, NOW))
        paid++;
    assert_int_equal(paid, RATION_BURST_BYTES / RATION_LINE_COST);
    assert_int_equal(ration.lost, 0);
}
