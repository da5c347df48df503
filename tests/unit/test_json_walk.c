/* walk.c: members and elements as they stand in the text, and texts that break off. */
#include "json/chars.h"
#include "json/walk.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct walk_case {
    const char *text, *entries;
} walk_cases[] = {
    {"{}", ""},
    {" [ ] ", ""},
    {"[1]", "1|"},
    {"\t{ \"a\" : 1 ,\n\"b\":[2,{\"c\":3}] }", "a=1|b=[2,{\"c\":3}]|"},
    {"[\"x, ] and }\",\"\\\"]\",{\"k\":\"}\"}]", "\"x, ] and }\"|\"\\\"]\"|{\"k\":\"}\"}|"},
    {"{\"\\u0061\":true,\"\":null}", "\\u0061=true|=null|"},
    {"[-1.5e3 , false]", "-1.5e3|false|"},
    {"[[[]],{}]", "[[]]|{}|"},
    {"\"text\"", ""},
    {"12", ""},
    {"", ""},
    {"  ", ""},
};

/* Each entry as KEY=VALUE or VALUE, with `|` behind it; in exactly measured memory. */
static void walk_of(const char *text, char *out)
{
    struct json_walk_entry entry;
    struct json_walk walk;
    char *copy = strdup(text);

    out[0] = '\0';
    assert_non_null(copy);
    if (json_walk_enter(&walk, (struct span){copy, strlen(copy)})) {
        while (json_walk_next(&walk, &entry))
            sprintf(out + strlen(out), "%.*s%s%.*s|", (int)entry.key.length,
                    entry.key.data != NULL ? entry.key.data : "", walk.object ? "=" : "",
                    (int)entry.value.length, entry.value.data);
    }
    free(copy);
}

TEST(test_entries)
{
    char entries[128];

    for (size_t i = 0; i < sizeof(walk_cases) / sizeof(*walk_cases); i++) {
        walk_of(walk_cases[i].text, entries);
        assert_string_equal(entries, walk_cases[i].entries);
    }
}

/* What is between the commas is the entry's whole, so that a list can be written without it. */
TEST(test_wholes_make_the_text)
{
    static const char text[] = "[ 1 ,\t\"a\" , { } ]";
    struct json_walk_entry entry;
    struct json_walk walk;
    char again[sizeof(text) + 8] = "[";

    assert_true(json_walk_enter(&walk, span_of(text)));
    while (json_walk_next(&walk, &entry))
        sprintf(again + strlen(again), "%s%.*s", strlen(again) > 1 ? "," : "",
                (int)entry.whole.length, entry.whole.data);
    strcat(again, "]");
    assert_string_equal(again, text);
}

/* Texts that the scanner would not have let pass: the walk ends, within the text. */
TEST(test_every_beginning)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"\\\"\"}],\"c\\\\\":{\"d\":[]},\"e\":-1}";

    for (size_t length = 0; length < sizeof(text); length++) {
        struct json_walk_entry entry;
        struct json_walk walk;
        char *copy = malloc(length > 0 ? length : 1);
        size_t entries = 0;

        assert_non_null(copy);
        memcpy(copy, text, length);
        if (json_walk_enter(&walk, (struct span){copy, length})) {
            while (json_walk_next(&walk, &entry)) {
                entries++;
                assert_true(entry.whole.data >= copy);
                assert_true(entry.whole.data + entry.whole.length <= copy + length);
            }
        }
        assert_true(entries <= 3);
        free(copy);
    }
}

TEST(test_key_is)
{
    assert_true(json_chars_equal(span_of("name"), "name"));
    assert_true(json_chars_equal(span_of("n\\u0061me"), "name"));
    assert_true(json_chars_equal(span_of("\\u00e9\\/"), "\xc3\xa9/"));
    assert_true(json_chars_equal(span_of("\\ud83d\\ude00"), "\xf0\x9f\x98\x80"));
    assert_true(json_chars_equal(span_of(""), ""));
    assert_false(json_chars_equal(span_of("name"), "nam"));
    assert_false(json_chars_equal(span_of("nam"), "name"));
    assert_false(json_chars_equal(span_of("Name"), "name"));
    assert_false(json_chars_equal(span_of("name\\u0000"), "name"));
    assert_false(json_chars_equal(span_of("n\\x"), "n\\x"));
}
