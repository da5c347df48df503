/* The inside of JSON strings in bulk (chars.h). Called by the scanner. */
#include "json/chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#include <stdint.h>

#define BLOCK_BYTES 64
#define EVEN        UINT64_C(0x5555555555555555)

/* What the bytes of a block are; the lowest bit stands for the first byte. */
struct block {
    uint64_t quotes, backslashes, controls;
    uint64_t high; /* beyond ASCII */
};

/* The lowest of the places, or the number of places if there is none. */
static inline size_t first_of(uint64_t places)
{
    return places != 0 ? (size_t)__builtin_ctzll(places) : BLOCK_BYTES;
}

static inline uint64_t places_below(size_t place)
{
    return place < BLOCK_BYTES ? (UINT64_C(1) << place) - 1 : UINT64_MAX;
}

/* Sixteen bytes each. */
struct lanes {
    __m128i first, second, third, fourth;
};

static inline struct lanes load(const unsigned char *at)
{
    const __m128i *lane = (const __m128i *)(const void *)at;

    return (struct lanes){_mm_loadu_si128(lane), _mm_loadu_si128(lane + 1),
                          _mm_loadu_si128(lane + 2), _mm_loadu_si128(lane + 3)};
}

static inline uint64_t high_bits(struct lanes lanes)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(lanes.first) |
           (uint64_t)(unsigned)_mm_movemask_epi8(lanes.second) << 16 |
           (uint64_t)(unsigned)_mm_movemask_epi8(lanes.third) << 32 |
           (uint64_t)(unsigned)_mm_movemask_epi8(lanes.fourth) << 48;
}

static inline uint64_t equal(struct lanes lanes, char byte)
{
    const __m128i wanted = _mm_set1_epi8(byte);

    return high_bits(
        (struct lanes){_mm_cmpeq_epi8(lanes.first, wanted), _mm_cmpeq_epi8(lanes.second, wanted),
                       _mm_cmpeq_epi8(lanes.third, wanted), _mm_cmpeq_epi8(lanes.fourth, wanted)});
}

/* As signed bytes: what is beyond ASCII is below all of ASCII. */
static inline uint64_t below(struct lanes lanes, char byte)
{
    const __m128i limit = _mm_set1_epi8(byte);

    return high_bits(
        (struct lanes){_mm_cmplt_epi8(lanes.first, limit), _mm_cmplt_epi8(lanes.second, limit),
                       _mm_cmplt_epi8(lanes.third, limit), _mm_cmplt_epi8(lanes.fourth, limit)});
}

static inline struct block classify(const unsigned char *at)
{
    const struct lanes lanes = load(at);
    struct block block = {
        .quotes = equal(lanes, '"'), .backslashes = equal(lanes, '\\'), .high = high_bits(lanes)};

    block.controls = below(lanes, ' ') & ~block.high;
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
    const struct lanes lanes = load(at);

    return block->quotes | block->backslashes |
           high_bits((struct lanes){letters_in(lanes.first), letters_in(lanes.second),
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

/*
 * Checks the sequences before `stop`, one by one. Returns that, or the place
 * behind the last if it ends in the next block, or that of one that is invalid.
 */
static size_t check_sequences(const unsigned char *at, const unsigned char *end, uint64_t high,
                              size_t stop, bool *valid)
{
    size_t place = 0;

    high &= places_below(stop);
    while (high != 0) {
        size_t length;

        place = (size_t)__builtin_ctzll(high);
        length = utf8_sequence(at + place, end);
        if (length == 0) {
            *valid = false;
            return place;
        }
        high &= ~(((UINT64_C(1) << length) - 1) << place);
        place += length;
    }
    return place > stop ? place : stop;
}

const unsigned char *json_string_skip(const unsigned char *at, const unsigned char *end,
                                      bool *escaped)
{
    while (end - at >= BLOCK_BYTES && !(at[0] == '\\' && at[1] == 'u')) {
        const struct block block = classify(at);
        uint64_t stops = block.quotes | block.controls, escapes = 0;
        bool valid = true;
        size_t stop;

        if (block.backslashes != 0) {
            escapes = escapes_in(block.backslashes);
            stops &= ~(block.quotes & escapes << 1);
            /* Also an escape whose letter is in the next block. */
            stops |= escapes & ~(escape_letters(at, &block) >> 1);
        }
        stop = first_of(stops);
        if (block.high != 0)
            stop = check_sequences(at, end, block.high, stop, &valid);
        *escaped = *escaped || (escapes & places_below(stop)) != 0;
        at += stop;
        if (!valid || stop < BLOCK_BYTES - 1) /* at the last byte there may be an escape */
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
