/* outstanding.c: requests that wait for an answer, against a plain list; their limit. */
#include "vet/outstanding.h"

#include "unit.h"
#include "vet/vet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000
#define IDS    64

static enum reason add(struct outstanding *outstanding, const char *id, const char *verb)
{
    return outstanding_add(outstanding,
                           &(struct outstanding_request){.id = span_of(id), .verb = span_of(verb)});
}

TEST(test_add_find_remove)
{
    struct outstanding outstanding = {0};
    int place;

    assert_int_equal(outstanding_find(&outstanding, span_of("1")), -1);
    assert_int_equal(add(&outstanding, "1", "tools/call"), REASON_ALLOWED);
    assert_int_equal(add(&outstanding, "\"1\"", "ping"), REASON_ALLOWED);
    assert_int_equal(add(&outstanding, "1", "other"), REASON_REQUEST_ID_REUSED);
    place = outstanding_find(&outstanding, span_of("1"));
    assert_true(span_equals(outstanding_at(&outstanding, place).verb, "tools/call"));
    outstanding_remove(&outstanding, place);
    assert_int_equal(outstanding_find(&outstanding, span_of("1")), -1);
    assert_int_equal(add(&outstanding, "1", ""), REASON_ALLOWED);
    place = outstanding_find(&outstanding, span_of("1"));
    assert_int_equal(outstanding_at(&outstanding, place).verb.length, 0);
    outstanding_clear(&outstanding);
    assert_null(outstanding.slots);
}

TEST(test_limit)
{
    struct outstanding outstanding = {0};
    char id[16];

    for (unsigned i = 0; i < VET_OUTSTANDING_MAX; i++) {
        snprintf(id, sizeof(id), "%u", i);
        assert_int_equal(add(&outstanding, id, "x"), REASON_ALLOWED);
    }
    assert_int_equal(add(&outstanding, "one more", "x"), REASON_OUTSTANDING_LIMIT);
    assert_int_equal(add(&outstanding, "7", "x"), REASON_REQUEST_ID_REUSED);
    outstanding_remove(&outstanding, outstanding_find(&outstanding, span_of("7")));
    assert_int_equal(add(&outstanding, "one more", "x"), REASON_ALLOWED);
    while (outstanding.count > 0)
        outstanding_remove(&outstanding, 0);
    assert_null(outstanding.slots); /* an idle connection keeps none of it */
}

TEST(test_long_verb_is_cut)
{
    struct outstanding outstanding = {0};
    char verb[2 * VET_VERB_BYTES_MAX];

    memset(verb, 'v', sizeof(verb) - 1);
    verb[sizeof(verb) - 1] = '\0';
    assert_int_equal(add(&outstanding, "1", verb), REASON_ALLOWED);
    assert_int_equal(outstanding_at(&outstanding, 0).verb.length, VET_VERB_BYTES_MAX);
    outstanding_clear(&outstanding);
}

TEST(test_what_is_kept_of_a_request)
{
    struct outstanding outstanding = {0};
    char session[OUTSTANDING_SESSION_BYTES_MAX + 1];
    struct outstanding_request request = {
        .id = span_of("1"), .verb = span_of("v"), .session = span_of("\"S\"")};

    assert_int_equal(outstanding_add(&outstanding, &request), REASON_ALLOWED);
    request =
        (struct outstanding_request){.id = span_of("2"), .session = {session, sizeof(session)}};
    memset(session, 's', sizeof(session));
    assert_int_equal(outstanding_add(&outstanding, &request), REASON_ALLOWED);
    assert_true(span_equals(outstanding_at(&outstanding, 0).id, "1"));
    assert_true(span_equals(outstanding_at(&outstanding, 0).session, "\"S\""));
    assert_null(outstanding_at(&outstanding, 1).session.data); /* too long: none */
    assert_false(outstanding_at(&outstanding, 1).adrift);
    outstanding_let_go(&outstanding, 1);
    assert_true(outstanding_at(&outstanding, 1).adrift);
    outstanding_repeat(&outstanding, 0);
    assert_true(outstanding_take_one(&outstanding, 0));
    assert_false(outstanding_take_one(&outstanding, 0));
    outstanding_clear(&outstanding);
}

TEST(test_against_a_plain_list)
{
    struct outstanding outstanding = {0};
    bool there[IDS] = {0};
    char id[16], verb[16];

    srandom(1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned which = (unsigned)random() % IDS;
        int place;

        snprintf(id, sizeof(id), "\"%u\"", which);
        snprintf(verb, sizeof(verb), "verb %u", which);
        place = outstanding_find(&outstanding, span_of(id));
        assert_int_equal(place >= 0, there[which]);
        if (place >= 0) {
            assert_true(span_equals(outstanding_at(&outstanding, place).verb, verb));
            outstanding_remove(&outstanding, place);
        } else {
            assert_int_equal(add(&outstanding, id, verb), REASON_ALLOWED);
        }
        there[which] = !there[which];
    }
    outstanding_clear(&outstanding);
}
