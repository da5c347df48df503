/* target.c: which targets are on a list, and which say one thing and mean another. */
#include "vet/target.h"

#include "unit.h"

#include <string.h>

static bool ambiguous(const char *target, enum target_kind kind)
{
    return target_is_ambiguous(span_of(target), kind);
}

TEST(test_ambiguous_uris)
{
    static const char *const plain[] = {"file:///a/b.txt",
                                        "file:///a/..b",
                                        "file:///a/b..",
                                        "test://x/%20y%C3",
                                        "a.b.c",
                                        "x://h/...?q=..x",
                                        ""};
    static const char *const odd[] = {
        "..",       "file:///a/../b", "file:///a/..", "../b",  "x:..",  "x://h/?..&a", "x://h/#..",
        "x;..=1",   "a\\b",           "a%2e%2e",      "a%2Fb", "a%5cb", "a%252e",      "a%",
        "a%2",      "a%zz",           "a%00",         "a%0ab", "a%7f",  "a\nb",        "a\x7f",
        "a/%2E./b", "x:a=..:rest",
    };

    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++) {
        if (ambiguous(plain[i], TARGET_URI))
            fail_msg("%s", plain[i]);
    }
    for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
        if (!ambiguous(odd[i], TARGET_URI))
            fail_msg("%s", odd[i]);
    }
}

/* A name is compared as it is: only what an eye or a log cannot see is odd in it. */
TEST(test_ambiguous_names)
{
    assert_false(ambiguous("../a%2e\\b", TARGET_NAME));
    assert_false(ambiguous("", TARGET_NAME));
    assert_true(ambiguous("a\tb", TARGET_NAME));
    assert_true(ambiguous("a\x7f", TARGET_NAME));
    assert_true(target_is_ambiguous((struct span){"a\0b", 3}, TARGET_NAME));
}

static void list(struct text_list *globs, const char *first, const char *second)
{
    *globs = (struct text_list){0};
    assert_int_equal(text_list_add(globs, first, strlen(first)), OK);
    assert_int_equal(text_list_add(globs, second, strlen(second)), OK);
}

TEST(test_check)
{
    struct text_list surface, session, empty = {0};

    list(&surface, "read_*", "echo");
    list(&session, "read_file", "echo");
    assert_int_equal(target_check(NULL, NULL, span_of("a\n"), TARGET_NAME), REASON_ALLOWED);
    assert_int_equal(target_check(&surface, NULL, span_of("read_any"), TARGET_NAME),
                     REASON_ALLOWED);
    assert_int_equal(target_check(&surface, NULL, span_of("write"), TARGET_NAME),
                     REASON_TARGET_REFUSED);
    assert_int_equal(target_check(NULL, &session, span_of("read_any"), TARGET_NAME),
                     REASON_TARGET_REFUSED);
    assert_int_equal(target_check(&surface, &session, span_of("read_any"), TARGET_NAME),
                     REASON_TARGET_REFUSED);
    assert_int_equal(target_check(&surface, &session, span_of("read_file"), TARGET_NAME),
                     REASON_ALLOWED);
    assert_int_equal(target_check(&surface, NULL, span_of("read_\n"), TARGET_NAME),
                     REASON_TARGET_AMBIGUOUS);
    assert_int_equal(target_check(&empty, NULL, span_of("echo"), TARGET_NAME),
                     REASON_TARGET_REFUSED);
    text_list_clear(&surface);
    text_list_clear(&session);
}
