/* tickets.c: a ticket opens one session, once, for a minute. */
#include "broker/core/tickets.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW     1700000000
#define SESSION "00112233445566778899aabbccddeeff"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct tickets));
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void issue(struct tickets *tickets, const char *session, int64_t now, char out[TICKET_SIZE])
{
    assert_int_equal(tickets_issue(tickets, session, now, out), OK);
    assert_int_equal(strlen(out), TICKET_SIZE - 1);
    assert_int_equal(
        strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        TICKET_SIZE - 1);
}

#define TICKETS_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

TICKETS_TEST(test_redeemed_once)
{
    char first[TICKET_SIZE], second[TICKET_SIZE], session[TOKEN_ID_SIZE] = "";

    issue(*state, SESSION, NOW, first);
    issue(*state, "other", NOW, second);
    assert_string_not_equal(first, second);
    assert_true(tickets_redeem(*state, span_of(first), NOW, session));
    assert_string_equal(session, SESSION);
    assert_false(tickets_redeem(*state, span_of(first), NOW, session));
    assert_true(tickets_redeem(*state, span_of(second), NOW, session));
    assert_string_equal(session, "other");
    assert_false(tickets_redeem(*state, span_of(second), NOW, session));
}

TICKETS_TEST(test_lifetime)
{
    char ticket[TICKET_SIZE], session[TOKEN_ID_SIZE] = "untouched";

    issue(*state, SESSION, NOW, ticket);
    assert_false(tickets_redeem(*state, span_of(ticket), NOW + TICKET_LIFETIME_S, session));
    assert_string_equal(session, "untouched");
    issue(*state, SESSION, NOW, ticket);
    assert_true(tickets_redeem(*state, span_of(ticket), NOW + TICKET_LIFETIME_S - 1, session));
}

TICKETS_TEST(test_what_is_no_ticket)
{
    static const char zeros[TICKET_SIZE] = {0};
    char ticket[TICKET_SIZE], changed[TICKET_SIZE + 1], session[TOKEN_ID_SIZE];

    assert_false(tickets_redeem(*state, span_of(NULL), NOW, session));
    assert_false(tickets_redeem(*state, span_of(""), NOW, session));
    assert_false(tickets_redeem(*state, (struct span){zeros, TICKET_SIZE - 1}, NOW, session));
    issue(*state, SESSION, NOW, ticket);
    for (size_t i = 0; i < TICKET_SIZE - 1; i++) {
        memcpy(changed, ticket, TICKET_SIZE);
        changed[i] = (char)(changed[i] ^ 1);
        assert_false(tickets_redeem(*state, span_of(changed), NOW, session));
        assert_false(tickets_redeem(*state, (struct span){ticket, i}, NOW, session));
    }
    snprintf(changed, sizeof(changed), "%sA", ticket);
    assert_false(tickets_redeem(*state, span_of(changed), NOW, session));
    assert_true(tickets_redeem(*state, span_of(ticket), NOW, session));
}

/* Nobody can fill the memory with tickets, and old ones make room. */
TICKETS_TEST(test_limit)
{
    char ticket[TICKET_SIZE], first[TICKET_SIZE], session[TOKEN_ID_SIZE];
    unsigned issued = 1;

    issue(*state, SESSION, NOW, first);
    while (tickets_issue(*state, SESSION, NOW + 1, ticket) == OK)
        assert_true(++issued < 100000);
    assert_int_equal(issued, 1024);
    assert_int_equal(tickets_issue(*state, SESSION, NOW + 1, ticket), ERROR_LIMIT);
    assert_true(tickets_redeem(*state, span_of(first), NOW + 1, session));
    issue(*state, SESSION, NOW + 1, ticket);
    assert_int_equal(tickets_issue(*state, SESSION, NOW + 1, ticket), ERROR_LIMIT);
    issue(*state, SESSION, NOW + 1 + TICKET_LIFETIME_S, ticket);
    assert_int_equal(
        tickets_issue(*state, "a session id that is longer than one can be", NOW + 1000, ticket),
        ERROR_LIMIT);
}
