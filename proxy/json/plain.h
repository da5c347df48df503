/* What a reader of JSON meets most: white space, and the plain bytes of strings. */
#pragma once

#include <stdbool.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static inline bool json_is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Skips string bytes that stand for themselves: ASCII but controls, quote and backslash. */
static inline const unsigned char *json_plain_skip(const unsigned char *at,
                                                   const unsigned char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);

    for (; end - at >= 16; at += 16) {
        __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        /* As signed bytes, what is above ASCII is below the space too. */
        __m128i special = _mm_or_si128(
            _mm_cmplt_epi8(block, space),
            _mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(special);

        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
#endif
    while (at < end && json_is_plain(*at))
        at++;
    return at;
}

static inline const unsigned char *json_space_skip(const unsigned char *at,
                                                   const unsigned char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}
