#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* By the first byte (Unicode 15, table 3-7); 0: none begins with it. */
static size_t length_by(unsigned char first)
{
    if (first < 0xc2 || first > 0xf4)
        return 0;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* Whether the second byte can follow the first: no overlong form, no surrogate, up to U+10FFFF. */
static bool second_fits(unsigned char first, unsigned char second)
{
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;

    return second >= low && second <= high;
}

size_t utf8_sequence(const unsigned char *at, const unsigned char *end)
{
    size_t length = length_by(at[0]);

    if (length == 0 || (size_t)(end - at) < length || !second_fits(at[0], at[1]))
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

bool utf8_valid(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const unsigned char *end = at + length;

    while (at < end) {
        uint64_t word;
        size_t sequence;

        if (end - at >= (ptrdiff_t)sizeof(word)) {
            memcpy(&word, at, sizeof(word));
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof(word);
                continue;
            }
        }
        if (*at < 0x80) {
            at++;
            continue;
        }
        sequence = utf8_sequence(at, end);
        if (sequence == 0)
            return false;
        at += sequence;
    }
    return true;
}
