#include "json/chars.h"

#include <string.h>

struct json_chars json_chars_of(struct span text, bool escapes)
{
    const unsigned char *at = (const unsigned char *)text.data;

    return (struct json_chars){at, at + text.length, escapes};
}

uint32_t json_chars_hex4(const unsigned char *at, const unsigned char *end)
{
    uint32_t value = 0;

    if (end - at < 4)
        return JSON_CHARS_FAULT;
    for (int i = 0; i < 4; i++) {
        int digit = text_hex_digit((char)at[i]);

        if (digit < 0)
            return JSON_CHARS_FAULT;
        value = value << 4 | (uint32_t)digit;
    }
    return value;
}

/* The character of \uXXXX, or of a pair of them; `at` is behind the u. */
static uint32_t next_unicode_escape(struct json_chars *string)
{
    uint32_t high = json_chars_hex4(string->at, string->end), low;

    if (high == JSON_CHARS_FAULT)
        return JSON_CHARS_FAULT;
    string->at += 4;
    if (high == 0)
        return JSON_CHARS_FAULT;
    if (high < 0xd800 || high > 0xdfff)
        return high;
    if (high > 0xdbff || string->end - string->at < 6 || string->at[0] != '\\' ||
        string->at[1] != 'u')
        return JSON_CHARS_FAULT;
    low = json_chars_hex4(string->at + 2, string->end);
    if (low < 0xdc00 || low > 0xdfff)
        return JSON_CHARS_FAULT;
    string->at += 6;
    return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint32_t next_escape(struct json_chars *string)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *letter;

    if (string->at == string->end)
        return JSON_CHARS_FAULT;
    if (*string->at == 'u') {
        string->at++;
        return next_unicode_escape(string);
    }
    letter = memchr(letters, *string->at++, sizeof(letters) - 1);
    return letter != NULL ? (uint32_t)meant[letter - letters] : JSON_CHARS_FAULT;
}

uint32_t json_chars_next(struct json_chars *string)
{
    static const unsigned char first_bits[5] = {0, 0, 0x1f, 0x0f, 0x07};
    uint32_t character;
    size_t length;

    if (string->at == string->end)
        return JSON_CHARS_END;
    if (*string->at < 0x80) {
        character = *string->at++;
        return character == '\\' && string->escapes ? next_escape(string) : character;
    }
    length = utf8_sequence(string->at, string->end);
    if (length == 0)
        return JSON_CHARS_FAULT;
    character = *string->at & first_bits[length];
    for (size_t i = 1; i < length; i++)
        character = character << 6 | (string->at[i] & 0x3f);
    string->at += length;
    return character;
}

bool json_chars_odd(struct span raw)
{
    struct json_chars string = json_chars_of(raw, true);
    uint32_t character;

    while ((character = json_chars_next(&string)) < JSON_CHARS_FAULT)
        continue;
    return character == JSON_CHARS_FAULT;
}

size_t json_chars_encode(uint32_t character, unsigned char out[JSON_CHARS_BYTES_MAX])
{
    if (character < 0x80) {
        out[0] = (unsigned char)character;
        return 1;
    }
    if (character < 0x800) {
        out[0] = (unsigned char)(0xc0 | character >> 6);
        out[1] = (unsigned char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        out[0] = (unsigned char)(0xe0 | character >> 12);
        out[1] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
        out[2] = (unsigned char)(0x80 | (character & 0x3f));
        return 3;
    }
    out[0] = (unsigned char)(0xf0 | (character >> 18 & 0x07));
    out[1] = (unsigned char)(0x80 | (character >> 12 & 0x3f));
    out[2] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
    out[3] = (unsigned char)(0x80 | (character & 0x3f));
    return 4;
}

static uint32_t fold(uint32_t character)
{
    if (character >= 'A' && character <= 'Z')
        return character - 'A' + 'a';
    if (character == 0x17f)
        return 's';
    return character == 0x212a ? 'k' : character;
}

static bool equals(struct span raw, const char *plain, bool folded)
{
    struct json_chars left = json_chars_of(raw, true);
    struct json_chars right = json_chars_of(span_of(plain), false);
    uint32_t character, other;

    do {
        character = json_chars_next(&left);
        other = json_chars_next(&right);
        if (character == JSON_CHARS_FAULT ||
            (folded ? fold(character) != fold(other) : character != other))
            return false;
    } while (character != JSON_CHARS_END);
    return true;
}

bool json_chars_equal(struct span raw, const char *plain)
{
    return equals(raw, plain, false);
}

bool json_chars_folds_to(struct span raw, const char *plain)
{
    return equals(raw, plain, true);
}
