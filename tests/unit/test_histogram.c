/* histogram.c: everything noted is in one bucket, by its upper bound. */
#include "base/histogram.h"

#include "unit.h"

TEST(test_bounds)
{
    struct histogram histogram = {.sum_us = 0};

    for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++) {
        assert_true(i == 0 || histogram_bounds_us[i] > histogram_bounds_us[i - 1]);
        histogram_note(&histogram, (uint64_t)histogram_bounds_us[i] * 1000);
        assert_int_equal(histogram.buckets[i], 1);
        histogram_note(&histogram, (uint64_t)(histogram_bounds_us[i] + 1) * 1000);
        assert_int_equal(histogram.buckets[i + 1], 1);
        histogram.buckets[i + 1] = 0;
    }
    histogram_note(&histogram, UINT64_MAX);
    assert_int_equal(histogram.buckets[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(histogram_count(&histogram), HISTOGRAM_BOUNDS + 1);
}

TEST(test_sums)
{
    struct histogram one = {.sum_us = 0}, other = {.sum_us = 0};

    histogram_note(&one, 3000 * 1000);
    histogram_note(&other, 3000 * 1000);
    histogram_note(&other, 0);
    histogram_add(&one, &other);
    assert_int_equal(one.sum_us, 6000);
    assert_int_equal(histogram_count(&one), 3);
}
