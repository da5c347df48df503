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
    return outstanding_add(outstanding, span_of(id), span_of(verb));
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
    assert_true(span_equals(outstanding_verb(&outstanding, place), "tools/call"));
    outstanding_remove(&outstanding, place);
    assert_int_equal(outstanding_find(&outstanding, span_of("1")), -1);
    assert_int_equal(add(&outstanding, "1", ""), REASON_ALLOWED);
    place = outstanding_find(&outstanding, span_of("1"));
    assert_int_equal(outstanding_verb(&outstanding, place).length, 0);
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

    memset(verb, 'v', sizeof(verb));
    assert_int_equal(outstanding_add(&outstanding, span_of("1"), (struct span){verb, sizeof(verb)}),
                     REASON_ALLOWED);
    assert_int_equal(outstanding_verb(&outstanding, 0).length, VET_VERB_BYTES_MAX);
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
            assert_true(span_equals(outstanding_verb(&outstanding, place), verb));
            outstanding_remove(&outstanding, place);
        } else {
            assert_int_equal(add(&outstanding, id, verb), REASON_ALLOWED);
        }
        there[which] = !there[which];
    }
    outstanding_clear(&outstanding);
}
