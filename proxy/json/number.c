#include "json/number.h"

#include <string.h>

#define SAFE_DIGITS 16

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

const unsigned char *json_number_read(const unsigned char *at, const unsigned char *end,
                                      enum json_type *type)
{
    enum json_type found = JSON_TYPE_INTEGER;

    *type = JSON_NONE;
    if (*at == '-')
        at++;
    if (!is_digit(at, end))
        return at;
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    if (is_digit(at, end))
        return at;
    if (at < end && *at == '.') {
        if (!is_digit(++at, end))
            return at;
        found = JSON_TYPE_REAL;
        at = skip_digits(at, end);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        if (!is_digit(at, end))
            return at;
        found = JSON_TYPE_REAL;
        at = skip_digits(at, end);
    }
    *type = found;
    return at;
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
