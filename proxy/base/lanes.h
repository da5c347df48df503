/*
 * Blocks of bytes, looked at all at once where the processor can (SSE2). What is found is a
 * number with a bit for each place; the lowest stands for the first byte.
 */
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_BYTES       64
#define LANES_FROM(place) (UINT64_MAX << (place))

/* The lowest of the places, or the number of places if there is none. */
static inline size_t lanes_first(uint64_t places)
{
    return places != 0 ? (size_t)__builtin_ctzll(places) : LANES_BYTES;
}

static inline uint64_t lanes_places_below(size_t place)
{
    return place < LANES_BYTES ? (UINT64_C(1) << place) - 1 : UINT64_MAX;
}

/* Sixteen bytes each. */
struct lanes {
    __m128i first, second, third, fourth;
};

static inline struct lanes lanes_load(const unsigned char *at)
{
    const __m128i *lane = (const __m128i *)(const void *)at;

    return (struct lanes){_mm_loadu_si128(lane), _mm_loadu_si128(lane + 1),
                          _mm_loadu_si128(lane + 2), _mm_loadu_si128(lane + 3)};
}

static inline uint64_t lanes_high(struct lanes lanes)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(lanes.first) |
           (uint64_t)(unsigned)_mm_movemask_epi8(lanes.second) << 16 |
           (uint64_t)(unsigned)_mm_movemask_epi8(lanes.third) << 32 |
           (uint64_t)(unsigned)_mm_movemask_epi8(lanes.fourth) << 48;
}

static inline uint64_t lanes_equal(struct lanes lanes, char byte)
{
    const __m128i wanted = _mm_set1_epi8(byte);

    return lanes_high(
        (struct lanes){_mm_cmpeq_epi8(lanes.first, wanted), _mm_cmpeq_epi8(lanes.second, wanted),
                       _mm_cmpeq_epi8(lanes.third, wanted), _mm_cmpeq_epi8(lanes.fourth, wanted)});
}

/* As signed bytes: what is beyond ASCII is below all of ASCII. */
static inline uint64_t lanes_below(struct lanes lanes, char byte)
{
    const __m128i limit = _mm_set1_epi8(byte);

    return lanes_high(
        (struct lanes){_mm_cmplt_epi8(lanes.first, limit), _mm_cmplt_epi8(lanes.second, limit),
                       _mm_cmplt_epi8(lanes.third, limit), _mm_cmplt_epi8(lanes.fourth, limit)});
}

/* As unsigned bytes: those of at least `least`, which is beyond ASCII. */
static inline uint64_t lanes_from(struct lanes lanes, unsigned char least)
{
    /* Among signed bytes those of ASCII are above all others. */
    return lanes_high(lanes) & ~lanes_below(lanes, (char)least);
}

/*
 * Whether the sequences that begin at places in `seen` are valid (RFC 3629 section 4), all at
 * once: what follows a first byte is what has to follow one, and nothing else does.
 */
static inline __attribute__((always_inline)) bool lanes_sequences_valid(struct lanes lanes,
                                                                        uint64_t high,
                                                                        uint64_t seen)
{
    const uint64_t two = lanes_from(lanes, 0xc2), three = lanes_from(lanes, 0xe0),
                   four = lanes_from(lanes, 0xf0);
    const uint64_t follow = (two & seen) << 1 | (three & seen) << 2 | (four & seen) << 3;
    const uint64_t from_90 = lanes_from(lanes, 0x90), from_a0 = lanes_from(lanes, 0xa0);
    uint64_t fault = (high & ~two & seen) ^ follow;

    fault |= ((lanes_from(lanes, 0xc0) & ~two) | lanes_from(lanes, 0xf5)) & seen;
    fault |= (lanes_equal(lanes, (char)0xe0) & seen) << 1 & ~from_a0;
    fault |= (lanes_equal(lanes, (char)0xed) & seen) << 1 & from_a0;
    fault |= (lanes_equal(lanes, (char)0xf0) & seen) << 1 & ~from_90;
    fault |= (lanes_equal(lanes, (char)0xf4) & seen) << 1 & from_90;
    return fault == 0;
}

/*
 * Checks the sequences of UTF-8 that begin before `stop` in the block. Returns that, or the place
 * of one that goes on in the next block. False in `valid`: one of them is none.
 */
static inline __attribute__((always_inline)) size_t lanes_check_utf8(struct lanes lanes,
                                                                     uint64_t high, size_t stop,
                                                                     bool *valid)
{
    const uint64_t two = lanes_from(lanes, 0xc2), three = lanes_from(lanes, 0xe0),
                   four = lanes_from(lanes, 0xf0);
    const size_t cut =
        lanes_first((two & LANES_FROM(63)) | (three & LANES_FROM(62)) | (four & LANES_FROM(61)));

    if (cut < stop)
        stop = cut;
    *valid = lanes_sequences_valid(lanes, high, lanes_places_below(stop));
    return stop;
}
#endif
