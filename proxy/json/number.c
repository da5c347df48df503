#include "json/number.h"

#include <string.h>

#define INT64_DIGITS 19
#define SAFE_DIGITS  16
/* An exponent beyond this decides alone: no message has as many digits. */
#define EXPONENT_MAX INT64_C(1000000000000)

/*
 * The digits of 2^1024 - 2^970, half way between the largest double and the
 * next power of two: from here on a number rounds to infinity.
 */
static const char infinity_digits[] =
    "17976931348623158079372897140530341507993413271003782693617377898044"
    "49682927647509466490179775872070963302864166928879109465555478519404"
    "02630657488671505820681908902000708383676273854845817711531764475730"
    "27006985557136695962284291481986083493647529271907416844436551070434"
    "2711559699508093042880177904174497792";
#define INFINITY_DIGITS 309

struct number {
    const unsigned char *digits; /* of the whole part */
    const unsigned char *point;  /* behind the whole part */
    const unsigned char *end;    /* behind the fraction */
    int64_t exponent;
    bool negative;
};

static bool is_digit(const unsigned char *at, const unsigned char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const unsigned char *skip_digits(const unsigned char *at, const unsigned char *end)
{
    while (is_digit(at, end))
        at++;
    return at;
}

static bool fits_int64(const struct number *number)
{
    size_t count = (size_t)(number->point - number->digits);

    if (count != INT64_DIGITS)
        return count < INT64_DIGITS;
    return memcmp(number->digits, number->negative ? "9223372036854775808" : "9223372036854775807",
                  INT64_DIGITS) <= 0;
}

/* Compares the digits from `at` on, as 0.d1d2d3..., with the infinity threshold. */
static bool reaches_infinity(const struct number *number, const unsigned char *at)
{
    size_t i = 0;

    for (; at < number->end && i < INFINITY_DIGITS; at++) {
        if (*at == '.')
            continue;
        if (*at != (unsigned char)infinity_digits[i])
            return *at > (unsigned char)infinity_digits[i];
        i++;
    }
    return i == INFINITY_DIGITS;
}

static bool fits_double(const struct number *number)
{
    const unsigned char *at = number->digits;
    int64_t magnitude; /* the number is 0.d1d2d3... times ten to this power */

    while (at < number->end && (*at == '0' || *at == '.'))
        at++;
    if (at == number->end)
        return true;
    magnitude = number->point - at + number->exponent;
    if (at > number->point)
        magnitude++;
    if (magnitude != INFINITY_DIGITS)
        return magnitude < INFINITY_DIGITS;
    return !reaches_infinity(number, at);
}

/* `at` is behind the e; NULL if there are no digits. */
static const unsigned char *read_exponent(const unsigned char *at, const unsigned char *end,
                                          int64_t *exponent)
{
    bool negative = at < end && *at == '-';

    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (; is_digit(at, end); at++) {
        if (*exponent < EXPONENT_MAX)
            *exponent = *exponent * 10 + (*at - '0');
    }
    if (negative)
        *exponent = -*exponent;
    return at;
}

const unsigned char *json_number_read(const unsigned char *at, const unsigned char *end,
                                      enum json_type *type, enum reason *reason)
{
    const unsigned char *start = at;
    struct number number = {.negative = *at == '-'};
    bool fits;

    *reason = REASON_JSON_SYNTAX;
    if (number.negative)
        at++;
    if (!is_digit(at, end))
        return at;
    number.digits = at;
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (is_digit(at, end))
        return at;
    number.point = number.end = at;
    *type = JSON_TYPE_INTEGER;
    if (at < end && *at == '.') {
        if (!is_digit(++at, end))
            return at;
        *type = JSON_TYPE_REAL;
        at = number.end = skip_digits(at, end);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at + 1, end, &number.exponent);
        if (!is_digit(at - 1, end))
            return at;
        *type = JSON_TYPE_REAL;
    }
    fits = *type == JSON_TYPE_INTEGER ? fits_int64(&number) : fits_double(&number);
    *reason = fits ? REASON_ALLOWED : REASON_JSON_NUMBER;
    return fits ? at : start;
}

bool json_number_is_safe_integer(struct span text)
{
    size_t sign = text.length > 0 && text.data[0] == '-' ? 1 : 0;
    size_t count = text.length - sign;

    if (sign == 1 && count == 1 && text.data[1] == '0')
        return false;
    if (count != SAFE_DIGITS)
        return count < SAFE_DIGITS;
    return memcmp(text.data + sign, "9007199254740991", SAFE_DIGITS) <= 0;
}
