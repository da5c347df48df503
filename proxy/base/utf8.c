#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

size_t utf8_sequence(const unsigned char *at, const unsigned char *end)
{
    size_t available = (size_t)(end - at);
    unsigned char first = at[0];

    if (first < 0xc2 || first > 0xf4 || available < 2 || !is_continuation(at[1]))
        return 0;
    if (first < 0xe0)
        return 2;
    if (available < 3 || !is_continuation(at[2]))
        return 0;
    if (first < 0xf0) /* E0: overlong below A0; ED: surrogates above 9F */
        return (first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ? 0 : 3;
    if (available < 4 || !is_continuation(at[3]))
        return 0;
    return (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f) ? 0 : 4;
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
