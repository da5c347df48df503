/* text.c: spans, lists, globs and encodings. */
#include "base/text.h"

#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

TEST(test_spans)
{
    const struct span absent = span_of(NULL);

    assert_null(absent.data);
    assert_int_equal(absent.length, 0);
    assert_true(span_equals(span_of("a"), "a"));
    assert_true(span_equals(span_of(""), ""));
    assert_false(span_equals(span_of("a"), "A"));
    assert_false(span_equals(span_of("ab"), "a"));
    assert_false(span_equals(span_of("a"), "ab"));
    /* Absent is not the same as empty, nor as another absent one. */
    assert_false(span_equals(absent, ""));
    assert_false(span_same(absent, absent));
    assert_true(span_same((struct span){"abc", 2}, (struct span){"abd", 2}));
    assert_false(span_equals((struct span){"a\0b", 3}, "a"));
}

TEST(test_nocase)
{
    assert_true(span_equals_nocase(span_of("WebSocket"), "websocket"));
    assert_true(span_equals_nocase(span_of("HOST"), "host"));
    assert_false(span_equals_nocase(span_of("host "), "host"));
    assert_false(span_equals_nocase(span_of("hos"), "host"));
    assert_false(span_equals_nocase(span_of(NULL), ""));
    /* ASCII only: the Kelvin sign is no k. */
    assert_false(span_equals_nocase(span_of("\xe2\x84\xaa"), "k"));
    assert_false(span_equals_nocase((struct span){"a\0c", 3}, "a\0d"));
}

TEST(test_lists)
{
    struct text_list list = {0};

    assert_false(text_list_contains(&list, span_of("a")));
    assert_int_equal(text_list_add(&list, "alpha-beta", 5), OK);
    assert_int_equal(text_list_add(&list, "", 0), OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0], "alpha");
    assert_true(text_list_contains(&list, span_of("alpha")));
    assert_true(text_list_contains(&list, span_of("")));
    assert_false(text_list_contains(&list, span_of("alph")));
    assert_false(text_list_contains(&list, span_of(NULL)));
    text_list_clear(&list);
    assert_int_equal(list.count, 0);
    assert_null(list.items);
    text_list_clear(&list);
}

TEST(test_copy)
{
    char *copy = text_copy((struct span){"secret-rest", 6});

    assert_string_equal(copy, "secret");
    free(copy);
    copy = text_copy(span_of(NULL));
    assert_string_equal(copy, "");
    free(copy);
}

TEST(test_globs)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "anything", true},
        {"?", "", false},
        {"?", "a", true},
        {"?", "ab", false},
        {"echo", "echo", true},
        {"echo", "echoes", false},
        {"echo", "ech", false},
        {"search_*", "search_", true},
        {"search_*", "search_web", true},
        {"search_*", "research_web", false},
        {"*_web", "search_web", true},
        {"*_web", "search_webs", false},
        {"a*b*c", "aXbYc", true},
        {"a*b*c", "abc", true},
        {"a*b*c", "acb", false},
        {"a**b", "ab", true},
        {"*a*", "bbb", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"[ab]", "a", false},
        {"[ab]", "[ab]", true},
        {"\\*", "*", false},
        {"\\*", "\\x", true},
        {"A", "a", false},
        {"*.*", "a.b.c", true},
        {"aa*aa", "aaa", false},
        {"aa*aa", "aaaa", true},
        {"*abab", "abaabab", true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (text_glob_matches(cases[i].pattern, span_of(cases[i].text)) != cases[i].matches)
            fail_msg("\"%s\" against \"%s\"", cases[i].pattern, cases[i].text);
    }
    /* A NUL in the text is a byte like another, and does not end it. */
    assert_false(text_glob_matches("a", (struct span){"a\0b", 3}));
    assert_true(text_glob_matches("a?b", (struct span){"a\0b", 3}));
    assert_true(text_glob_matches("a*", (struct span){"a\0b", 3}));
}

/* Every pattern up to four bytes over {a, *, ?} against every text up to five over {a, b}. */
static bool slow_matches(const char *pattern, const char *text)
{
    if (*pattern == '\0')
        return *text == '\0';
    if (*pattern == '*')
        return slow_matches(pattern + 1, text) ||
               (*text != '\0' && slow_matches(pattern, text + 1));
    return *text != '\0' && (*pattern == '?' || *pattern == *text) &&
           slow_matches(pattern + 1, text + 1);
}

static void nth_word(unsigned n, const char *alphabet, char *out)
{
    unsigned base = (unsigned)strlen(alphabet);

    for (; n > 0; n = (n - 1) / base)
        *out++ = alphabet[(n - 1) % base];
    *out = '\0';
}

TEST(test_globs_exhaustively)
{
    unsigned matches = 0;

    for (unsigned p = 0; p <= 3 + 9 + 27 + 81 + 243; p++) {
        for (unsigned t = 0; t <= 2 + 4 + 8 + 16 + 32; t++) {
            char pattern[8], text[8];

            nth_word(p, "a*?", pattern);
            nth_word(t, "ab", text);
            assert_int_equal(text_glob_matches(pattern, span_of(text)),
                             slow_matches(pattern, text));
            matches += slow_matches(pattern, text);
        }
    }
    assert_true(matches > 1000);
}

/* Exponential matchers would not come back from this one. */
TEST(test_glob_is_not_exponential)
{
    char text[4096];

    memset(text, 'a', sizeof(text));
    assert_false(
        text_glob_matches("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", (struct span){text, sizeof(text)}));
}

/* RFC 4648 section 10. */
TEST(test_encodings)
{
    static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
    static const char *const padded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
                                         "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    static const char *const bare[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    static const unsigned char high[] = {0xfb, 0xff, 0xfe};
    char out[16];

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        text_base64((const unsigned char *)plain[i], strlen(plain[i]), out);
        assert_string_equal(out, padded[i]);
        text_base64url((const unsigned char *)plain[i], strlen(plain[i]), out);
        assert_string_equal(out, bare[i]);
    }
    text_base64(high, sizeof(high), out);
    assert_string_equal(out, "+//+");
    text_base64url(high, sizeof(high), out);
    assert_string_equal(out, "-__-");
    text_hex(high, sizeof(high), out);
    assert_string_equal(out, "fbfffe");
    text_hex(high, 0, out);
    assert_string_equal(out, "");
}

TEST(test_names)
{
    char name[TEXT_NAME_BYTES_MAX + 2];

    assert_true(text_is_name("studio"));
    assert_true(text_is_name("0-a_B.c"));
    assert_false(text_is_name(""));
    assert_false(text_is_name(".hidden"));
    assert_false(text_is_name("-flag"));
    assert_false(text_is_name("_x"));
    assert_false(text_is_name("a/b"));
    assert_false(text_is_name("a b"));
    assert_false(text_is_name("caf\xc3\xa9"));
    memset(name, 'n', sizeof(name));
    name[TEXT_NAME_BYTES_MAX + 1] = '\0';
    assert_false(text_is_name(name));
    name[TEXT_NAME_BYTES_MAX] = '\0';
    assert_true(text_is_name(name));
    assert_true(text_is_name("0"));
    assert_false(text_is_name("a\x80"));
    assert_false(text_is_name("a:b"));
}

TEST(test_hex)
{
    static const char digits[] = "0123456789abcdef";

    assert_true(text_is_hex("00ff", 4));
    assert_true(text_is_hex("", 0));
    assert_false(text_is_hex("00f", 4));
    assert_false(text_is_hex("00ff0", 4));
    assert_false(text_is_hex("00fF", 4));
    assert_false(text_is_hex("00fg", 4));
    for (int c = -128; c < 128; c++) {
        const char *at = c > 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;

        assert_int_equal(text_hex_digit((char)c), at != NULL ? (int)(at - digits) : -1);
    }
}

/* The escape of one character alone: NULL, it may be shown. */
static void expect_escape(const char *bytes, size_t length, const char *escape)
{
    char found[TEXT_ESCAPE_SIZE];

    assert_int_equal(text_escape(bytes, bytes + length, found), length);
    assert_string_equal(found, escape != NULL ? escape : "");
}

TEST(test_what_may_be_shown)
{
    static const struct {
        const char *bytes, *escape;
    } cases[] = {
        {"\x1f", "\\u001f"},
        {" ", NULL},
        {"~", NULL},
        {"\x7f", "\\u007f"},
        {"\xc2\x80", "\\u0080"},
        {"\xc2\x9b", "\\u009b"}, /* CSI */
        {"\xc2\x9f", "\\u009f"},
        {"\xc2\xa0", NULL},
        {"\xc2\xad", "\\u00ad"},
        {"\xc3\xa9", NULL},
        {"\xd8\x9c", "\\u061c"},
        {"\xe1\xa0\x8e", "\\u180e"},
        {"\xe2\x80\x8a", NULL},
        {"\xe2\x80\x8b", "\\u200b"},
        {"\xe2\x80\x8e", "\\u200e"},
        {"\xe2\x80\x8f", "\\u200f"},
        {"\xe2\x80\x90", NULL},
        {"\xe2\x80\xa6", NULL}, /* what the log marks a cut with */
        {"\xe2\x80\xa8", "\\u2028"},
        {"\xe2\x80\xa9", "\\u2029"},
        {"\xe2\x80\xaa", "\\u202a"},
        {"\xe2\x80\xae", "\\u202e"},
        {"\xe2\x80\xaf", NULL},
        {"\xe2\x81\xa0", "\\u2060"},
        {"\xe2\x81\xa6", "\\u2066"},
        {"\xe2\x81\xa9", "\\u2069"},
        {"\xe2\x81\xaf", "\\u206f"},
        {"\xe2\x81\xb0", NULL},
        {"\xe2\x82\xac", NULL},
        {"\xef\xbb\xbf", "\\ufeff"},
        {"\xef\xbf\xb8", NULL},
        {"\xef\xbf\xb9", "\\ufff9"},
        {"\xef\xbf\xbb", "\\ufffb"},
        {"\xef\xbf\xbc", NULL},
        {"\xf0\x9f\x94\x92", NULL},
        {"\xf3\xa0\x80\x80", "\\udb40\\udc00"},
        {"\xf3\xa0\x81\x81", "\\udb40\\udc41"},
        {"\xf3\xa0\xbf\xbf", "\\udb43\\udfff"},
        {"\xf3\xb0\x80\x80", NULL},
        {"\xf4\x8f\xbf\xbf", NULL},
        {"\x80", "\\ufffd"},
        {"\xff", "\\ufffd"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_escape(cases[i].bytes, strlen(cases[i].bytes), cases[i].escape);
    expect_escape("\0", 1, "\\ufffd");
}

/* As utf8_whole() is meant: character by character. */
static size_t walk(const unsigned char *bytes, size_t length)
{
    size_t at = 0, sequence = 1;

    while (at < length && sequence > 0) {
        sequence = bytes[at] < 0x80 ? 1 : utf8_sequence(bytes + at, bytes + length);
        at += sequence;
    }
    return at;
}

/* Whatever stands behind whatever, at each place of a block and across its end. */
TEST(test_utf8_in_blocks)
{
    static const char *const pieces[] = {"\xc2\x80",
                                         "\xdf\xbf",
                                         "\xe0\xa0\x80",
                                         "\xed\x9f\xbf",
                                         "\xef\xbf\xbf",
                                         "\xf0\x90\x80\x80",
                                         "\xf4\x8f\xbf\xbf",
                                         "\x80",
                                         "\xc1\xbf",
                                         "\xe0\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xf4\x90\x80\x80",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xc3",
                                         "\xe2\x82",
                                         "\xf0\x9f\x94",
                                         "x"};
    const size_t count = sizeof(pieces) / sizeof(pieces[0]);
    unsigned char text[160];

    for (size_t place = 0; place < 140; place++) {
        for (size_t i = 0; i < count * count; i++) {
            const char *first = pieces[i / count], *second = pieces[i % count];
            size_t length = place + strlen(first) + strlen(second);
            bool may_go_on;

            memset(text, 'x', sizeof(text));
            memcpy(text + place, first, strlen(first));
            memcpy(text + place + strlen(first), second, strlen(second));
            assert_int_equal(utf8_whole((char *)text, sizeof(text), &may_go_on),
                             walk(text, sizeof(text)));
            assert_int_equal(utf8_whole((char *)text, length, &may_go_on), walk(text, length));
        }
    }
}
