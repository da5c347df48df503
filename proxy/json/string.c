/* The inside of JSON strings in bulk (chars.h). Called by the scanner. */
#include "json/chars.h"

#include "base/lanes.h"

#ifdef __SSE2__

#define EVEN UINT64_C(0x5555555555555555)

/* What the bytes of a block are; the lowest bit stands for the first byte. */
struct block {
    uint64_t quotes, backslashes, controls;
    uint64_t high; /* beyond ASCII */
};

static inline struct block classify(const unsigned char *at)
{
    const struct lanes lanes = lanes_load(at);
    struct block block = {.quotes = lanes_equal(lanes, '"'),
                          .backslashes = lanes_equal(lanes, '\\'),
                          .high = lanes_high(lanes)};

    block.controls = lanes_below(lanes, ' ') & ~block.high;
    return block;
}

/* b and f are one bit apart. */
static inline __m128i letters_in(__m128i lane)
{
    __m128i any = _mm_cmpeq_epi8(_mm_and_si128(lane, _mm_set1_epi8(~4)), _mm_set1_epi8('b'));

    any = _mm_or_si128(any, _mm_cmpeq_epi8(lane, _mm_set1_epi8('n')));
    any = _mm_or_si128(any, _mm_cmpeq_epi8(lane, _mm_set1_epi8('r')));
    any = _mm_or_si128(any, _mm_cmpeq_epi8(lane, _mm_set1_epi8('t')));
    return _mm_or_si128(any, _mm_cmpeq_epi8(lane, _mm_set1_epi8('/')));
}

/* The bytes that make an escape with a backslash before them: those of "\/bfnrt. */
static inline uint64_t escape_letters(const unsigned char *at, const struct block *block)
{
    const struct lanes lanes = lanes_load(at);

    return block->quotes | block->backslashes |
           lanes_high((struct lanes){letters_in(lanes.first), letters_in(lanes.second),
                                     letters_in(lanes.third), letters_in(lanes.fourth)});
}

/*
 * The backslashes that begin an escape: of each run of them the first, the third
 * and so on. The sum carries through the runs that begin at an even place, so
 * what it leaves of the runs are those that begin at an odd one.
 */
static inline uint64_t escapes_in(uint64_t backslashes)
{
    const uint64_t starts = backslashes & ~(backslashes << 1);
    const uint64_t odd_runs = backslashes & (backslashes + (starts & EVEN));
    const uint64_t even_runs = backslashes & ~odd_runs;

    return (even_runs & EVEN) | (odd_runs & ~EVEN);
}

/* The place of the first sequence that is invalid. */
static size_t find_invalid(const unsigned char *at, const unsigned char *end)
{
    size_t place = 0, length = 1;

    while (place < LANES_BYTES && length > 0) {
        length = at[place] < 0x80 ? 1 : utf8_sequence(at + place, end);
        place += length;
    }
    return place;
}

const unsigned char *json_string_skip(const unsigned char *at, const unsigned char *end,
                                      bool *escaped)
{
    while (end - at >= LANES_BYTES && !(at[0] == '\\' && at[1] == 'u')) {
        const struct block block = classify(at);
        uint64_t stops = block.quotes | block.controls, escapes = 0;
        bool valid = true;
        size_t stop, last;

        if (block.backslashes != 0) {
            escapes = escapes_in(block.backslashes);
            stops &= ~(block.quotes & escapes << 1);
            /* Also an escape whose letter is in the next block. */
            stops |= escapes & ~(escape_letters(at, &block) >> 1);
        }
        last = stop = lanes_first(stops);
        if (block.high != 0)
            last = lanes_check_utf8(lanes_load(at), block.high, stop, &valid);
        if (!valid)
            last = find_invalid(at, end);
        *escaped = *escaped || (escapes & lanes_places_below(last)) != 0;
        at += last;
        if (!valid || stop < LANES_BYTES - 1) /* at the last byte there may be an escape */
            break;
    }
    return at;
}

#else

const unsigned char *json_string_skip(const unsigned char *at, const unsigned char *end,
                                      bool *escaped)
{
    (void)end;
    (void)escaped;
    return at;
}

#endif
