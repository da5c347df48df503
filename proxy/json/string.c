/* The inside of JSON strings in bulk (chars.h). Called by the scanner. */
#include "json/chars.h"

#ifdef __SSE2__
#include <emmintrin.h>
#include <stdint.h>

#define BLOCK_BYTES        64
#define EVEN               UINT64_C(0x5555555555555555)
#define PLACES_FROM(place) (UINT64_MAX << (place))

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

/* As unsigned bytes: those of at least `least`, which is beyond ASCII. */
static inline uint64_t from(struct lanes lanes, unsigned char least)
{
    /* Among signed bytes those of ASCII are above all others. */
    return high_bits(lanes) & ~below(lanes, (char)least);
}

/*
 * Whether the sequences that begin at places in `seen` are valid (RFC 3629 section 4), all at
 * once: what follows a first byte is what has to follow one, and nothing else does.
 */
static inline bool sequences_valid(struct lanes lanes, uint64_t high, uint64_t seen)
{
    const uint64_t two = from(lanes, 0xc2), three = from(lanes, 0xe0), four = from(lanes, 0xf0);
    const uint64_t follow = (two & seen) << 1 | (three & seen) << 2 | (four & seen) << 3;
    const uint64_t from_90 = from(lanes, 0x90), from_a0 = from(lanes, 0xa0);
    uint64_t fault = (high & ~two & seen) ^ follow;

    fault |= ((from(lanes, 0xc0) & ~two) | from(lanes, 0xf5)) & seen;
    fault |= (equal(lanes, (char)0xe0) & seen) << 1 & ~from_a0;
    fault |= (equal(lanes, (char)0xed) & seen) << 1 & from_a0;
    fault |= (equal(lanes, (char)0xf0) & seen) << 1 & ~from_90;
    fault |= (equal(lanes, (char)0xf4) & seen) << 1 & from_90;
    return fault == 0;
}

/* The place of the first sequence that is invalid. */
static size_t find_invalid(const unsigned char *at, const unsigned char *end)
{
    size_t place = 0, length = 1;

    while (place < BLOCK_BYTES && length > 0) {
        length = at[place] < 0x80 ? 1 : utf8_sequence(at + place, end);
        place += length;
    }
    return place;
}

/*
 * Checks the sequences that begin before `stop`. Returns that, or the place of one that goes on
 * in the next block, or of one that is invalid.
 */
static inline size_t check_sequences(const unsigned char *at, const unsigned char *end,
                                     uint64_t high, size_t stop, bool *valid)
{
    const struct lanes lanes = load(at);
    const uint64_t two = from(lanes, 0xc2), three = from(lanes, 0xe0), four = from(lanes, 0xf0);
    const size_t cut =
        first_of((two & PLACES_FROM(63)) | (three & PLACES_FROM(62)) | (four & PLACES_FROM(61)));

    if (cut < stop)
        stop = cut;
    *valid = sequences_valid(lanes, high, places_below(stop));
    return *valid ? stop : find_invalid(at, end);
}

const unsigned char *json_string_skip(const unsigned char *at, const unsigned char *end,
                                      bool *escaped)
{
    while (end - at >= BLOCK_BYTES && !(at[0] == '\\' && at[1] == 'u')) {
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
        last = stop = first_of(stops);
        if (block.high != 0)
            last = check_sequences(at, end, block.high, stop, &valid);
        *escaped = *escaped || (escapes & places_below(last)) != 0;
        at += last;
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
