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

static enum reason check(const struct text_list *targets, const struct text_list *session_targets,
                         const char *target)
{
    const struct vet_rules rules = {.targets = targets, .session_targets = session_targets};

    return target_check(&rules, span_of(target), TARGET_NAME);
}

TEST(test_check)
{
    struct text_list surface, session, empty = {0};

    list(&surface, "read_*", "echo");
    list(&session, "read_file", "echo");
    assert_int_equal(check(NULL, NULL, "a\n"), REASON_ALLOWED);
    assert_int_equal(check(&surface, NULL, "read_any"), REASON_ALLOWED);
    assert_int_equal(check(&surface, NULL, "write"), REASON_TARGET_REFUSED);
    assert_int_equal(check(NULL, &session, "read_any"), REASON_TARGET_REFUSED);
    assert_int_equal(check(&surface, &session, "read_any"), REASON_TARGET_REFUSED);
    assert_int_equal(check(&surface, &session, "read_file"), REASON_ALLOWED);
    assert_int_equal(check(&surface, NULL, "read_\n"), REASON_TARGET_AMBIGUOUS);
    assert_int_equal(check(&empty, NULL, "echo"), REASON_TARGET_REFUSED);
    text_list_clear(&surface);
    text_list_clear(&session);
}

/* A handle goes by who was given it, whatever the lists say. */
TEST(test_handles)
{
    struct text_list none = {0};
    struct vet_rules rules = {.targets = &none, .session_id = "one"};

    assert_int_equal(target_check(&rules, span_of("t"), TARGET_HANDLE), REASON_HANDLE_UNKNOWN);
    assert_int_equal(handles_create(2, &rules.handles), OK);
    assert_int_equal(target_check(&rules, span_of("t"), TARGET_HANDLE), REASON_HANDLE_UNKNOWN);
    handles_give(rules.handles, "one", HANDLE_NAMED, span_of("t"));
    assert_int_equal(target_check(&rules, span_of("t"), TARGET_HANDLE), REASON_ALLOWED);
    assert_int_equal(target_check(&rules, span_of("t"), TARGET_NAME), REASON_TARGET_REFUSED);
    rules.session_id = "two";
    assert_int_equal(target_check(&rules, span_of("t"), TARGET_HANDLE), REASON_HANDLE_UNKNOWN);
    handles_destroy(rules.handles);
}
