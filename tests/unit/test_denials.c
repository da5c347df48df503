#include "broker/core/denials.h"

#include "unit.h"

#include <stddef.h>

static unsigned log_many(struct denials *denials, unsigned count, uint64_t now_ms)
{
    unsigned logged = 0;

    for (unsigned i = 0; i < count; i++)
        logged += denials_may_log(denials, now_ms) ? 1 : 0;
    return logged;
}

TEST(test_a_burst_is_written_and_the_rest_counted)
{
    struct denials denials = {0};

    assert_int_equal(log_many(&denials, DENIALS_BURST + 7, 5000), DENIALS_BURST);
    assert_int_equal(denials.suppressed, 7);
}

TEST(test_time_pays_back)
{
    struct denials denials = {0};

    log_many(&denials, DENIALS_BURST, 5000);
    assert_false(denials_may_log(&denials, 5000));
    assert_int_equal(log_many(&denials, 1000, 6000), DENIALS_PER_SECOND);
    assert_int_equal(log_many(&denials, 2 * DENIALS_BURST, 6000000), DENIALS_BURST);
}

TEST(test_a_flood_is_held_to_the_rate)
{
    struct denials denials = {0};
    unsigned logged = 0;

    for (uint64_t now_ms = 0; now_ms < 10000; now_ms++)
        logged += log_many(&denials, 10, now_ms);
    assert_in_range(logged, DENIALS_BURST + 9 * DENIALS_PER_SECOND,
                    DENIALS_BURST + 10 * DENIALS_PER_SECOND);
    assert_int_equal(logged + denials.suppressed, 100000);
}
