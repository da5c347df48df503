/* number.c: the grammar of numbers, and the largest that their readers can hold. */
#include "json/number.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a number at the start of `text`: how many bytes of it, and what it was found to be. */
static size_t read_number(const char *text, enum json_type *type, enum reason *reason)
{
    const unsigned char *at = (const unsigned char *)text;

    return (size_t)(json_number_read(at, at + strlen(text), type, reason) - at);
}

static void expect(const char *text, enum reason wanted, enum json_type wanted_type, size_t length)
{
    enum json_type type = JSON_TYPE_NULL;
    enum reason reason;
    size_t got = read_number(text, &type, &reason);

    if (reason != wanted || got != length || (reason_allows(reason) && type != wanted_type))
        fail_msg("%s: %s after %zu bytes", text, reason_info(reason)->code, got);
}

TEST(test_grammar)
{
    static const char *const integers[] = {"0", "-0", "7", "-12", "100"};
    static const char *const reals[] = {"0.0", "-1.5", "1e0", "1E+5", "2e-3", "0.00e00", "1.25e10"};
    static const struct {
        const char *text;
        size_t fault;
    } wrong[] = {{"-", 1},    {"-a", 1}, {"00", 1},  {"01", 1},   {"-01", 2},  {"1.", 2},
                 {"1.e1", 2}, {"1e", 2}, {"1e+", 3}, {"1.5e", 4}, {"1.5e-", 5}};

    for (size_t i = 0; i < sizeof(integers) / sizeof(*integers); i++)
        expect(integers[i], REASON_ALLOWED, JSON_TYPE_INTEGER, strlen(integers[i]));
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++)
        expect(reals[i], REASON_ALLOWED, JSON_TYPE_REAL, strlen(reals[i]));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        expect(wrong[i].text, REASON_JSON_SYNTAX, JSON_TYPE_NULL, wrong[i].fault);
    expect("12,3", REASON_ALLOWED, JSON_TYPE_INTEGER, 2);
    expect("1.5]", REASON_ALLOWED, JSON_TYPE_REAL, 3);
}

TEST(test_integers_fit_64_bits)
{
    expect("9223372036854775807", REASON_ALLOWED, JSON_TYPE_INTEGER, 19);
    expect("9223372036854775808", REASON_JSON_NUMBER, JSON_TYPE_NULL, 0);
    expect("-9223372036854775808", REASON_ALLOWED, JSON_TYPE_INTEGER, 20);
    expect("-9223372036854775809", REASON_JSON_NUMBER, JSON_TYPE_NULL, 0);
    expect("10000000000000000000", REASON_JSON_NUMBER, JSON_TYPE_NULL, 0);
}

/* strtod() is the judge of what is finite. */
TEST(test_reals_are_finite)
{
    static const char *const texts[] = {
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "17976931348623157e292",
        "17976931348623159e292",
        "0.00017976931348623157e312",
        "0.00017976931348623159e312",
        "1e308",
        "1e309",
        "0e999999999999999999999",
        "0.0e99999",
        "1e-999999999999999999999",
        "1e999999999999999999999",
        "123456789e300",
        "1234567890e300",
    };
    enum json_type type;
    enum reason reason;
    char negative[64];

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        bool finite = strtod(texts[i], NULL) < __builtin_inf();

        read_number(texts[i], &type, &reason);
        if (reason != (finite ? REASON_ALLOWED : REASON_JSON_NUMBER))
            fail_msg("%s: %s", texts[i], reason_info(reason)->code);
        snprintf(negative, sizeof(negative), "-%s", texts[i]);
        read_number(negative, &type, &reason);
        assert_int_equal(reason, finite ? REASON_ALLOWED : REASON_JSON_NUMBER);
    }
}

TEST(test_safe_integers)
{
    static const char *const safe[] = {"0", "-1", "9007199254740991", "-9007199254740991"};
    static const char *const unsafe[] = {"-0", "9007199254740992", "-9007199254740992",
                                         "10000000000000000"};

    for (size_t i = 0; i < sizeof(safe) / sizeof(*safe); i++)
        assert_true(json_number_is_safe_integer(span_of(safe[i])));
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
        assert_false(json_number_is_safe_integer(span_of(unsafe[i])));
}
