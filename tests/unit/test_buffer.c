/* buffer.c: growth, the ceiling, and JSON strings from hostile bytes. */
#include "base/buffer.h"

#include "unit.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

TEST(test_appends)
{
    struct buffer buffer;

    buffer_init(&buffer, 1 << 20);
    buffer_append_text(&buffer, "one ");
    buffer_append(&buffer, "two!", 3);
    buffer_append_format(&buffer, " %d-%s", 3, "x");
    buffer_append(&buffer, NULL, 0);
    assert_string_equal(buffer.data, "one two 3-x");
    assert_int_equal(buffer.length, 11);
    buffer_reset(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_string_equal(buffer.data, "");
    for (int i = 0; i < 10000; i++)
        buffer_append_format(&buffer, "%04d", i);
    assert_int_equal(buffer.length, 40000);
    assert_memory_equal(buffer.data + 39996, "9999", 5);
    assert_false(buffer_failed(&buffer));
    buffer_clear(&buffer);
    assert_null(buffer.data);
    buffer_append_text(&buffer, "again");
    assert_string_equal(buffer.data, "again");
    buffer_wipe(&buffer);
    assert_null(buffer.data);
    buffer_wipe(&buffer);
}

TEST(test_words_of_a_command_line)
{
    static const struct {
        const char *text, *word; /* NULL: cannot be shown */
    } cases[] = {
        {"/usr/bin/true", "/usr/bin/true"},
        {"", "''"},
        {"two words", "'two words'"},
        {"~/a", "'~/a'"},
        {"$(id)`id`\\;&|<>*?", "'$(id)`id`\\;&|<>*?'"},
        {"it's", "'it'\\''s'"},
        {"\xc3\xbc", "'\xc3\xbc'"},
        {"a\nb", NULL},
        {"\x1b[2J", NULL},
        {"\xff", NULL},
        {"\xe2\x80\xae", NULL}, /* turns around what follows */
    };
    struct buffer buffer;

    buffer_init(&buffer, 256);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_reset(&buffer);
        buffer_append_text(&buffer, "-");
        assert_int_equal(buffer_append_word(&buffer, cases[i].text), cases[i].word != NULL);
        assert_string_equal(buffer.data + 1, cases[i].word != NULL ? cases[i].word : "");
    }
    buffer_clear(&buffer);
}

TEST(test_ceiling)
{
    struct buffer buffer;

    buffer_init(&buffer, 8);
    buffer_append_text(&buffer, "12345678");
    assert_false(buffer_failed(&buffer));
    buffer_append_text(&buffer, "");
    assert_false(buffer_failed(&buffer));
    buffer_append_text(&buffer, "9");
    assert_true(buffer_failed(&buffer));
    /* Once failed, nothing is added, not even what would fit. */
    buffer_append_text(&buffer, "");
    buffer_append_format(&buffer, "%s", "");
    assert_null(buffer_reserve(&buffer, 0));
    assert_string_equal(buffer.data, "12345678");
    buffer_reset(&buffer);
    assert_false(buffer_failed(&buffer));
    buffer_append_format(&buffer, "%s", "123456789");
    assert_true(buffer_failed(&buffer));
    assert_int_equal(buffer.length, 0);
    buffer_clear(&buffer);
    assert_false(buffer_failed(&buffer));
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_true(buffer_failed(&buffer));
    buffer_clear(&buffer);
}

TEST(test_reserve)
{
    struct buffer buffer;
    char *room;

    buffer_init(&buffer, 1000);
    buffer_append_text(&buffer, "head:");
    room = buffer_reserve(&buffer, 900);
    assert_non_null(room);
    memset(room, 'x', 900);
    buffer_commit(&buffer, 3);
    assert_string_equal(buffer.data, "head:xxx");
    buffer_clear(&buffer);
}

TEST(test_consume_and_truncate)
{
    struct buffer buffer;

    buffer_init(&buffer, 12);
    buffer_consume(&buffer, 0);
    buffer_consume(&buffer, 5);
    assert_int_equal(buffer.length, 0);
    buffer_append_text(&buffer, "head, body");
    buffer_consume(&buffer, 0);
    assert_string_equal(buffer.data, "head, body");
    buffer_consume(&buffer, 6);
    assert_string_equal(buffer.data, "body");
    assert_int_equal(buffer.length, 4);
    buffer_append_text(&buffer, "12345678");
    assert_string_equal(buffer.data, "body12345678");
    buffer_consume(&buffer, 11);
    assert_string_equal(buffer.data, "8");
    buffer_consume(&buffer, 1);
    assert_string_equal(buffer.data, "");
    buffer_append_text(&buffer, "more");
    buffer_consume(&buffer, 100);
    assert_int_equal(buffer.length, 0);
    /* Back to before what did not fit. */
    buffer_append_text(&buffer, "kept");
    buffer_append_text(&buffer, " and");
    buffer_append_text(&buffer, " too much");
    assert_true(buffer_failed(&buffer));
    buffer_truncate(&buffer, 4);
    assert_false(buffer_failed(&buffer));
    assert_string_equal(buffer.data, "kept");
    buffer_truncate(&buffer, 9);
    assert_string_equal(buffer.data, "kept");
    buffer_clear(&buffer);
    buffer_truncate(&buffer, 0);
    assert_int_equal(buffer.length, 0);
}

static void expect_json(const char *bytes, size_t length, const char *expected)
{
    struct buffer buffer;

    buffer_init(&buffer, 1 << 16);
    buffer_append_json_string(&buffer, bytes, length);
    assert_string_equal(buffer.data, expected);
    buffer_clear(&buffer);
}

TEST(test_json_strings)
{
    expect_json("", 0, "\"\"");
    expect_json("plain", 5, "\"plain\"");
    expect_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    expect_json("\0\n\x1f\x7f", 4, "\"\\ufffd\\u000a\\u001f\\u007f\"");
    expect_json("\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92", 9,
                "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x92\"");
}

TEST(test_strings_to_be_shown_and_others)
{
    static const char text[] = "a\xc2\x9b\"\\\xe2\x80\xae\n\xff\xc3\xa9";
    struct buffer buffer;

    expect_json(text, strlen(text), "\"a\\u009b\\\"\\\\\\u202e\\u000a\\ufffd\xc3\xa9\"");
    buffer_init(&buffer, 4096);
    buffer_append_shown(&buffer, text, strlen(text));
    assert_string_equal(buffer.data, "a\\u009b\"\\\\u202e\\u000a\\ufffd\xc3\xa9");
    buffer_reset(&buffer);
    /* What digests rest on does not change with what is shown. */
    buffer_append_canonical_string(&buffer, text, strlen(text));
    assert_string_equal(buffer.data, "\"a\xc2\x9b\\\"\\\\\xe2\x80\xae\\u000a\\ufffd\xc3\xa9\"");
    buffer_clear(&buffer);
}

/* RFC 3629 section 3: overlong forms, surrogates, beyond U+10FFFF, cut and stray bytes. */
TEST(test_json_strings_from_bad_utf8)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x94",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xc3(",
        "\xe2\x28\xa1",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buffer buffer;
        json_t *value;

        buffer_init(&buffer, 4096);
        buffer_append_text(&buffer, "[");
        buffer_append_json_string(&buffer, bad[i], strlen(bad[i]));
        buffer_append_text(&buffer, "]");
        assert_non_null(strstr(buffer.data, "\\ufffd"));
        value = json_loadb(buffer.data, buffer.length, 0, NULL);
        assert_non_null(value);
        json_decref(value);
        buffer_clear(&buffer);
    }
}

/* Every code point's encoding goes through unharmed, and jansson reads it back. */
TEST(test_json_strings_round_trip)
{
    for (unsigned code = 1; code <= 0x10ffff; code += code < 0x3000 ? 1 : 251) {
        unsigned char text[5] = {0};
        struct buffer buffer;
        json_t *value;

        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        if (code < 0x80) {
            text[0] = (unsigned char)code;
        } else if (code < 0x800) {
            text[0] = (unsigned char)(0xc0 | code >> 6);
            text[1] = (unsigned char)(0x80 | (code & 0x3f));
        } else if (code < 0x10000) {
            text[0] = (unsigned char)(0xe0 | code >> 12);
            text[1] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
            text[2] = (unsigned char)(0x80 | (code & 0x3f));
        } else {
            text[0] = (unsigned char)(0xf0 | code >> 18);
            text[1] = (unsigned char)(0x80 | (code >> 12 & 0x3f));
            text[2] = (unsigned char)(0x80 | (code >> 6 & 0x3f));
            text[3] = (unsigned char)(0x80 | (code & 0x3f));
        }
        buffer_init(&buffer, 64);
        buffer_append_text(&buffer, "[");
        buffer_append_json_string(&buffer, (char *)text, strlen((char *)text));
        buffer_append_text(&buffer, "]");
        value = json_loadb(buffer.data, buffer.length, 0, NULL);
        assert_non_null(value);
        assert_string_equal(json_string_value(json_array_get(value, 0)), (char *)text);
        json_decref(value);
        buffer_clear(&buffer);
    }
}
