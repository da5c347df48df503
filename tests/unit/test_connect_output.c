/* connect/bridge/output.c, and which denials pass.c knows a remedy for. */
#include <stddef.h>
#include <stdint.h>

#include "connect/bridge/output.h"
#include "connect/bridge/pass.h"
#include "unit.h"

#include <string.h>

/* However it is taken, the rest is what has not been taken, in order. */
TEST(test_rest)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";

    for (size_t step = 1; step <= 26; step++) {
        struct output output;
        size_t taken = 0;

        output_init(&output, 64);
        assert_int_equal(output_rest(&output).length, 0);
        assert_true(output_add(&output, text, 13));
        while (taken < 26) {
            struct span rest = output_rest(&output);
            size_t part = rest.length < step ? rest.length : step;

            assert_memory_equal(rest.data, text + taken, rest.length);
            taken += part;
            output_taken(&output, part);
            if (taken == part)
                assert_true(output_add(&output, text + 13, 13));
        }
        assert_int_equal(output_rest(&output).length, 0);
        output_clear(&output);
    }
}

/* Bytes that were taken do not stay in memory: they may be a token. */
TEST(test_wiped)
{
    struct output output;
    const char *start;

    output_init(&output, 64);
    assert_true(output_add(&output, "secret, and more than that", 26));
    start = output_rest(&output).data;
    output_taken(&output, 6);
    assert_int_equal(output_rest(&output).length, 20);
    assert_memory_equal(start, "\0\0\0\0\0\0", 6);
    output_clear(&output);
}

TEST(test_limit)
{
    struct output output;

    output_init(&output, 4);
    assert_true(output_add(&output, "1234", 4));
    assert_false(output_add(&output, "5", 1));
    output_clear(&output);
    assert_true(output_add(&output, "1234", 4));
    output_taken(&output, 4);
    assert_true(output_add(&output, "5678", 4)); /* what has gone does not count */
    output_clear(&output);
}

TEST(test_remedy)
{
    assert_int_equal(pass_remedy(span_of("token_expired")), WANT_RENEWAL);
    assert_int_equal(pass_remedy(span_of("token_signature")), WANT_CREATION);
    assert_int_equal(pass_remedy(span_of("params_changed")), WANT_CREATION);
    /* Whoever revoked it meant it, and an origin does not get better. */
    assert_int_equal(pass_remedy(span_of("session_revoked")), 0);
    assert_int_equal(pass_remedy(span_of("origin_mismatch")), 0);
    assert_int_equal(pass_remedy(span_of("")), 0);
}
