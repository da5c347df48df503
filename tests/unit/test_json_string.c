/* json_string.c: what is skipped, against a reader that looks at one character at a time. */
#include "json/chars.h"

#include "base/text.h"
#include "unit.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TEXT_BYTES_MAX 512
#define BLOCK_BYTES    64
#define ROUNDS         200000

/* From these a text is put together; the rare ones end what may be skipped. */
static const char *const common[] = {
    "a",
    "words ",
    "0123456789abcdef",
    "\\n",
    "\\\"",
    "\\\\",
    "\\/",
    "\\t",
    "\\b",
    "\\f",
    "\\r",
    " ",
    "\xc3\xa9",
    "\xe2\x86\x92",
    "\x7f",
    "u",
    "\xf0\x9f\x98\x80",
    "\xe0\xa0\x80",
    "'",
    "\xed\x9f\xbf",
    "bfnrt/",
    "\xc2\x80",
    "{\\\"a\\\":[1,null]}",
    "\xef\xbf\xbf",
};
static const char *const rare[] = {
    "\"",
    "\\u00e9",
    "\\x",
    "\\",
    "\n",
    "\x1f",
    "\xff",
    "\xc0\x80",
    "\x80",
    "\xe2\x86",
    "\xed\xa0",
    "\xe0\x9f\xbf",
    "\xf4\x90\x80\x80",
    "\xc3",
    "\xf0\x8f\xbf\xbf",
};

static uint32_t random_state = 2463534242;

static uint32_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state;
}

#define PICK(list) ((list)[next_random() % (sizeof(list) / sizeof((list)[0]))])

/* A character or an escape of one letter; 0 for whatever may not be skipped. */
static size_t one_character(const unsigned char *at, const unsigned char *end)
{
    if (*at == '"' || *at < 0x20)
        return 0;
    if (*at == '\\')
        return end - at >= 2 && at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL ? 2 : 0;
    return *at < 0x80 ? 1 : utf8_sequence(at, end);
}

/* Skips a text, and compares every step of the reader with where the skip ended. */
static void check(const unsigned char *text, size_t length)
{
    const unsigned char *end = text + length, *at = text;
    bool escaped = false, expected = false;
    const unsigned char *rest = json_string_skip(text, end, &escaped);

    assert_in_range((uintptr_t)rest, (uintptr_t)text, (uintptr_t)end);
    while (at < rest) {
        size_t bytes = one_character(at, end);

        assert_int_not_equal(bytes, 0);
        expected = expected || *at == '\\';
        at += bytes;
    }
    assert_ptr_equal(at, rest);
    assert_int_equal(escaped, expected);
#ifdef __SSE2__
    /* It gives up where it has to, or near the end. */
    if (end - rest >= BLOCK_BYTES)
        assert_int_equal(one_character(rest, end), 0);
#endif
}

TEST(test_mixtures)
{
    unsigned char text[TEXT_BYTES_MAX];

    for (unsigned round = 0; round < ROUNDS; round++) {
        const unsigned rarity = 4 + next_random() % 200;
        size_t length = 0;

        while (length < TEXT_BYTES_MAX - 32) {
            const char *piece = next_random() % rarity == 0 ? PICK(rare) : PICK(common);

            memcpy(text + length, piece, strlen(piece));
            length += strlen(piece);
        }
        check(text + next_random() % BLOCK_BYTES, length - BLOCK_BYTES);
    }
}

/* Every two bytes of which the first is beyond ASCII, and what may be third, in a block and across
 * its end: judged many at once as one by one. */
TEST(test_sequences)
{
    static const unsigned char thirds[] = {'x', '"', 0x80, 0xbf, 0xc0, 0xc1, 0xc2};
    static const size_t places[] = {20, BLOCK_BYTES - 2, BLOCK_BYTES - 1};
    unsigned char text[3 * BLOCK_BYTES];

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        unsigned char *at = text + places[i];

        for (unsigned bytes = 0; bytes < 128 * 256; bytes++) {
            at[0] = (unsigned char)(0x80 + bytes / 256);
            at[1] = (unsigned char)bytes;
            for (size_t j = 0; j < sizeof(thirds); j++) {
                at[2] = thirds[j];
                check(text, sizeof(text));
            }
        }
        memset(at, 'x', 3);
    }
}

/* Each piece at each place of a block, and across its end. */
TEST(test_places)
{
    unsigned char text[3 * BLOCK_BYTES];

    for (size_t place = 0; place < 2 * BLOCK_BYTES; place++) {
        for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + place, common[i], strlen(common[i]));
            check(text, sizeof(text));
        }
        for (size_t i = 0; i < sizeof(rare) / sizeof(rare[0]); i++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + place, rare[i], strlen(rare[i]));
            check(text, sizeof(text));
        }
    }
}

/* Runs of backslashes of every length at every place: which of them escape is not local. */
TEST(test_backslashes)
{
    unsigned char text[4 * BLOCK_BYTES];

    for (size_t place = 0; place < BLOCK_BYTES; place++) {
        for (size_t run = 1; run < 2 * BLOCK_BYTES; run++) {
            memset(text, 'x', sizeof(text));
            memset(text + place, '\\', run);
            text[place + run] = '"';
            check(text, sizeof(text));
            text[place + run] = 'n';
            check(text, sizeof(text));
        }
    }
}

TEST(test_each_byte_behind_a_backslash)
{
    unsigned char text[2 * BLOCK_BYTES];

    for (unsigned byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < BLOCK_BYTES; place++) {
            memset(text, 'x', sizeof(text));
            text[place] = '\\';
            text[place + 1] = (unsigned char)byte;
            check(text, sizeof(text));
            text[place] = 'x';
            check(text, sizeof(text));
        }
    }
}
