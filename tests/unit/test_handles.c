/* handles.c: what a session was given is its own, and bounded at its own expense. */
#include "vet/handles.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 8

static struct handles *handles;

static int set_up(void **state)
{
    (void)state;
    return handles_create(LIMIT, &handles) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    handles_destroy(handles);
    return 0;
}

static bool give(const char *session_id, const char *handle)
{
    return handles_give(handles, session_id, HANDLE_NAMED, span_of(handle));
}

static bool held(const char *session_id, const char *handle)
{
    return handles_held(handles, session_id, HANDLE_NAMED, span_of(handle));
}

#define HANDLES_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

HANDLES_TEST(test_whose)
{
    assert_false(held("one", "t"));
    assert_false(give("one", "t"));
    assert_true(held("one", "t"));
    assert_false(held("two", "t"));
    assert_false(held("one", "T") || held("one", "t ") || held("one", "") || held("on", "t"));
    assert_false(handles_held(handles, "one", HANDLE_EVENT, span_of("t")));
    assert_false(handles_held(NULL, "one", HANDLE_NAMED, span_of("t")));
    assert_false(handles_give(NULL, "one", HANDLE_NAMED, span_of("t")));
    give("two", "t");
    handles_forget(handles, "one");
    assert_false(held("one", "t"));
    assert_true(held("two", "t"));
    handles_forget(handles, "nobody");
    give("three", "t");
    handles_forget(handles, NULL);
    assert_false(held("two", "t") || held("three", "t"));
}

/* Each kind has its own limit, and so has each session. */
HANDLES_TEST(test_limit)
{
    char name[16];

    give("two", "kept");
    handles_give(handles, "one", HANDLE_EVENT, span_of("kept"));
    for (unsigned i = 0; i < 3 * LIMIT; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(give("one", name), i >= LIMIT);
        assert_false(give("one", name)); /* the same once more */
    }
    for (unsigned i = 0; i < 3 * LIMIT; i++) {
        snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(held("one", name), i >= 2 * LIMIT);
    }
    assert_true(held("two", "kept"));
    assert_true(handles_held(handles, "one", HANDLE_EVENT, span_of("kept")));
}

HANDLES_TEST(test_too_long)
{
    static char name[HANDLE_BYTES_MAX + 2];

    memset(name, 'x', HANDLE_BYTES_MAX);
    give("one", name);
    assert_true(held("one", name));
    name[HANDLE_BYTES_MAX] = 'x';
    give("one", name);
    assert_false(held("one", name));
    give("one", "");
    assert_false(held("one", ""));
}

HANDLES_TEST(test_sessions)
{
    char name[16];

    for (unsigned i = 0; i < HANDLES_SESSIONS_MAX; i++) {
        snprintf(name, sizeof(name), "%u", i);
        give(name, "t");
    }
    assert_true(held("0", "t")); /* used just now: "1" is the oldest */
    give("more", "t");
    assert_true(held("0", "t"));
    assert_false(held("1", "t"));
    assert_true(held("2", "t") && held("more", "t"));
}
