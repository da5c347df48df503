/* http_names.c: which names of headers a service might believe. */
#include "wire/http_names.h"

#include "unit.h"
#include "vector_lines.h"

#include <ctype.h>
#include <stdint.h>

#define NAME_BYTES_MAX 64
#define NAMES_MIN      200

static void change(const char *name, int (*how)(int), char out[NAME_BYTES_MAX])
{
    size_t length = strlen(name);

    assert_true(length < NAME_BYTES_MAX);
    for (size_t i = 0; i <= length; i++)
        out[i] = (char)how((unsigned char)name[i]);
}

static int underscore(int byte)
{
    return byte == '-' ? '_' : byte;
}

static void check(const char *kind, const char *name)
{
    bool plain = strcmp(kind, "strange") != 0, stays = strcmp(kind, "stays") == 0;

    if (http_name_plain(span_of(name)) != plain ||
        (plain && http_name_trusted(span_of(name)) != stays))
        fail_msg("%s %s", kind, name);
}

TEST(test_names)
{
    struct vector_line vector;
    size_t count = 0;

    vector_open(&vector, VECTORS_DIR "/http/names.txt");
    for (; vector_next(&vector, 2); count++) {
        const char *name = vector.fields[1];
        char other[NAME_BYTES_MAX];

        check(vector.fields[0], name);
        change(name, tolower, other);
        check(vector.fields[0], other);
        change(name, toupper, other);
        check(vector.fields[0], other);
        change(name, underscore, other);
        check(strchr(name, '-') != NULL ? "strange" : vector.fields[0], other);
    }
    vector_close(&vector);
    assert_true(count >= NAMES_MIN);
}

TEST(test_among)
{
    static const char *const patterns[] = {"alpha", "beta-*"};

    assert_true(http_name_among(span_of("ALPHA"), patterns, 2));
    assert_true(http_name_among(span_of("Beta-x"), patterns, 2));
    assert_true(http_name_among(span_of("beta-"), patterns, 2));
    assert_false(http_name_among(span_of("alphab"), patterns, 2));
    assert_false(http_name_among(span_of("alph"), patterns, 2));
    assert_false(http_name_among(span_of("beta"), patterns, 2));
    assert_false(http_name_among((struct span){"", 0}, patterns, 2));
    assert_false(http_name_among(span_of("alpha"), patterns, 0));
    assert_false(http_name_trusted(span_of("x-")));
}
