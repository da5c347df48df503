/* number.c: the grammar of numbers, and which are safe as ids. */
#include "json/number.h"

#include "unit.h"

#include <string.h>

static void expect(const char *text, enum json_type wanted, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    enum json_type type = JSON_TYPE_NULL;
    size_t got = (size_t)(json_number_read(at, at + strlen(text), &type) - at);

    if (got != length || type != wanted)
        fail_msg("%s: type %d after %zu bytes", text, (int)type, got);
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
        expect(integers[i], JSON_TYPE_INTEGER, strlen(integers[i]));
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++)
        expect(reals[i], JSON_TYPE_REAL, strlen(reals[i]));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        expect(wrong[i].text, JSON_NONE, wrong[i].fault);
    expect("12,3", JSON_TYPE_INTEGER, 2);
    expect("1.5]", JSON_TYPE_REAL, 3);
}

/* Whoever reads one has to know what it holds: here the digits pass, however many. */
TEST(test_any_size)
{
    static const char *const integers[] = {"9223372036854775808", "-9223372036854775809",
                                           "100000000000000000000000000000000000000000"};
    static const char *const reals[] = {"1e309", "-1e309", "1e999999999999999999999", "1e-999999",
                                        "0.1e310"};

    for (size_t i = 0; i < sizeof(integers) / sizeof(*integers); i++)
        expect(integers[i], JSON_TYPE_INTEGER, strlen(integers[i]));
    for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++)
        expect(reals[i], JSON_TYPE_REAL, strlen(reals[i]));
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
