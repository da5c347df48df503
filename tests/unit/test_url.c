/* url.c: one reading of every path and query, or none. */
#include "wire/url.h"

#include "unit.h"
#include "vector_lines.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 4096

/* What becomes of one: "ok", or the code or the cause of its refusal. */
typedef const char *(*decode_function)(struct span raw, char *out, size_t capacity);

static void check_vectors(const char *path, decode_function decode, size_t at_least)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, path);
    for (; vector_next(&vector, 3); count++) {
        struct span raw = {vector.text, vector.length};
        char out[ROOM];
        const char *said = decode(raw, out, sizeof(out));

        if (strcmp(said, vector.fields[0]) != 0)
            fail_msg("line %zu: %s", vector.number, said);
        if (strcmp(said, "ok") == 0)
            assert_string_equal(out, vector.fields[1]);
    }
    vector_close(&vector);
    assert_true(count >= at_least);
}

static const char *decode_path(struct span raw, char *out, size_t capacity)
{
    enum reason reason = url_path_decode(raw, out, capacity);
    const struct reason_info *info = reason_info(reason);

    if (reason_allows(reason)) {
        assert_true(reason_allows(url_path_check(out)));
        return "ok";
    }
    assert_string_equal(info->code, "path_invalid");
    return info->cause != NULL ? info->cause : info->code;
}

TEST(test_paths)
{
    check_vectors(VECTORS_DIR "/url/paths.txt", decode_path, 120);
}

static const char *decode_query(struct span raw, char *out, size_t capacity)
{
    return url_query_decode(raw, out, capacity) == OK ? "ok" : "invalid";
}

TEST(test_query_values)
{
    check_vectors(VECTORS_DIR "/url/query_values.txt", decode_query, 30);
}

/* It fits with its NUL, or it does not; a byte behind the room is never written. */
TEST(test_room)
{
    char out[8];

    memset(out, 'x', sizeof(out));
    assert_int_equal(url_path_decode(span_of("/ab%63"), out, 5), REASON_ALLOWED);
    assert_string_equal(out, "/abc");
    assert_int_equal(out[5], 'x');
    assert_int_equal(url_path_decode(span_of("/abc"), out, 4), REASON_PATH_LENGTH);
    assert_int_equal(out[5], 'x');
    assert_int_equal(url_query_decode(span_of("a+%63"), out, 4), OK);
    assert_string_equal(out, "a c");
    assert_int_equal(url_query_decode(span_of("a+%63"), out, 3), ERROR_LIMIT);
    assert_int_equal(url_query_decode(span_of(""), out, 1), OK);
    assert_string_equal(out, "");
    assert_int_equal(url_query_decode(span_of(NULL), out, 1), OK);
    assert_int_equal(url_path_decode(span_of(NULL), out, 8), REASON_PATH_INVALID);
    memset(out, 'x', sizeof(out));
    assert_int_equal(url_path_decode(span_of("/a%2fb"), out, 7), REASON_ALLOWED);
    assert_string_equal(out, "/a%2Fb");
    assert_int_equal(out[7], 'x');
    assert_int_equal(url_path_decode(span_of("/a%2fb"), out, 6), REASON_PATH_LENGTH);
    assert_int_equal(url_path_decode(span_of("/a%2f"), out, 5), REASON_PATH_LENGTH);
}

/* Only so many bytes as the span has: an encoding that goes on behind it is malformed. */
TEST(test_span_ends)
{
    char out[8];

    assert_int_equal(url_path_decode((struct span){"/%41", 3}, out, sizeof(out)),
                     REASON_PATH_ENCODING);
    assert_int_equal(url_path_decode((struct span){"/%41", 2}, out, sizeof(out)),
                     REASON_PATH_ENCODING);
    assert_int_equal(url_path_decode((struct span){"/a/../b", 2}, out, sizeof(out)),
                     REASON_ALLOWED);
    assert_int_equal(url_query_decode((struct span){"%41", 2}, out, sizeof(out)), ERROR_INVALID);
    assert_int_equal(url_query_decode((struct span){"%c3%a9", 3}, out, sizeof(out)), ERROR_INVALID);
}

TEST(test_encode_every_byte)
{
    static const char unreserved[] = "-._~0123456789"
                                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (int byte = 0; byte < 256; byte++) {
        char c = (char)byte, expected[4];
        struct buffer out;

        for (int path = 0; path < 2; path++) {
            bool plain = byte != 0 && (strchr(unreserved, byte) != NULL ||
                                       (path == 1 && strchr("/!$&'()*+,;=:@", byte) != NULL));

            snprintf(expected, sizeof(expected), plain ? "%c" : "%%%02X", byte);
            buffer_init(&out, 16);
            url_encode((struct span){&c, 1}, path == 1, &out);
            assert_int_equal(out.length, strlen(expected));
            assert_string_equal(out.data, expected);
            buffer_clear(&out);
        }
    }
}

/* Every sequence of UTF-8 survives encoding and decoding. */
TEST(test_round_trip)
{
    static const char text[] = "a /?&=+%#;\\\"'<>~\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e";
    struct buffer out;
    char again[ROOM];

    buffer_init(&out, ROOM);
    url_encode(span_of(text), false, &out);
    assert_null(strpbrk(out.data, " /?&=+#;"));
    assert_int_equal(url_query_decode((struct span){out.data, out.length}, again, sizeof(again)),
                     OK);
    assert_string_equal(again, text);
    buffer_clear(&out);
}

struct pair {
    const char *name, *value;
};

static void expect_pairs(const char *query, const struct pair *pairs, size_t count)
{
    struct span rest = span_of(query), name, value;

    for (size_t i = 0; i < count; i++) {
        if (!url_query_next(&rest, &name, &value))
            fail_msg("%s: pair %zu is missing", query, i);
        assert_true(span_equals(name, pairs[i].name));
        assert_true(span_equals(value, pairs[i].value));
    }
    assert_false(url_query_next(&rest, &name, &value));
    assert_false(url_query_next(&rest, &name, &value));
}

TEST(test_query_pairs)
{
    expect_pairs(NULL, NULL, 0);
    expect_pairs("", NULL, 0);
    expect_pairs("a", (struct pair[]){{"a", ""}}, 1);
    expect_pairs("a=", (struct pair[]){{"a", ""}}, 1);
    expect_pairs("=", (struct pair[]){{"", ""}}, 1);
    expect_pairs("=a", (struct pair[]){{"", "a"}}, 1);
    expect_pairs("a=b=c", (struct pair[]){{"a", "b=c"}}, 1);
    expect_pairs("a=1&b=2", (struct pair[]){{"a", "1"}, {"b", "2"}}, 2);
    expect_pairs("a&a=1&a=2", (struct pair[]){{"a", ""}, {"a", "1"}, {"a", "2"}}, 3);
    expect_pairs("a=1&", (struct pair[]){{"a", "1"}}, 1);
    expect_pairs("&&a", (struct pair[]){{"", ""}, {"", ""}, {"a", ""}}, 3);
    expect_pairs("a=1;b=2", (struct pair[]){{"a", "1;b=2"}}, 1);
    expect_pairs("a%26b=%3D", (struct pair[]){{"a%26b", "%3D"}}, 1);
    expect_pairs("a?b=c/d?e", (struct pair[]){{"a?b", "c/d?e"}}, 1);
}
