/* tickets.c: a ticket opens one session, once, for a minute. */
#include "broker/core/tickets.h"

#include "unit.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW     1700000000
#define SESSION "00112233445566778899aabbccddeeff"

static struct quotas *quotas;

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct tickets));
    if (*state == NULL || quotas_create(2, &quotas) != OK)
        return -1;
    tickets_init(*state, quotas, QUOTA_TICKETS);
    return 0;
}

static int tear_down(void **state)
{
    tickets_clear(*state);
    free(*state);
    quotas_destroy(quotas);
    return 0;
}

static void issue(struct tickets *tickets, const char *session, int64_t now, char out[TICKET_SIZE])
{
    assert_int_equal(tickets_issue(tickets, 0, session, now, out), OK);
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

/* A session keeps its newest. */
TICKETS_TEST(test_own_oldest_gives_way)
{
    unsigned limit = quota_info(QUOTA_TICKETS)->limit;
    char tickets[100][TICKET_SIZE], other[TICKET_SIZE], session[TOKEN_ID_SIZE];

    issue(*state, "other", NOW, other);
    for (unsigned i = 0; i < 100; i++)
        issue(*state, SESSION, NOW, tickets[i]);
    assert_int_equal(quotas_counts(quotas, 0)->gave_way[QUOTA_TICKETS], 100 - limit);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(tickets_redeem(*state, span_of(tickets[i]), NOW, session),
                         i >= 100 - limit);
    assert_true(tickets_redeem(*state, span_of(other), NOW, session));
    assert_int_equal(quota_held(quotas, QUOTA_TICKETS, quota_session(0, SESSION)), 0);
}

/* Where all are taken, whoever has the most loses one; who has one keeps it. */
TICKETS_TEST(test_nobody_is_pushed_out_by_those_who_have_more)
{
    unsigned limit = quota_info(QUOTA_TICKETS)->limit;
    char modest[TICKET_SIZE], ticket[TICKET_SIZE], name[TOKEN_ID_SIZE], session[TOKEN_ID_SIZE];

    issue(*state, "modest", NOW, modest);
    for (unsigned i = 0; i < 2 * TICKETS_MAX; i++) {
        snprintf(name, sizeof(name), "greedy %u", i / limit);
        issue(*state, name, NOW, ticket);
    }
    issue(*state, SESSION, NOW, ticket);
    assert_true(tickets_redeem(*state, span_of(ticket), NOW, session));
    assert_string_equal(session, SESSION);
    assert_true(tickets_redeem(*state, span_of(modest), NOW, session));
    assert_string_equal(session, "modest");
}

/* Nobody can fill the memory with tickets, and what has expired makes room. */
TICKETS_TEST(test_limit)
{
    char ticket[TICKET_SIZE], name[TOKEN_ID_SIZE], session[TOKEN_ID_SIZE];

    for (unsigned i = 0; i < TICKETS_MAX; i++) {
        snprintf(name, sizeof(name), "one of many %u", i);
        issue(*state, name, NOW, ticket);
    }
    assert_int_equal(tickets_issue(*state, 0, SESSION, NOW, ticket), ERROR_LIMIT);
    assert_true(tickets_redeem(*state, span_of(ticket), NOW, session));
    issue(*state, SESSION, NOW, ticket);
    issue(*state, SESSION, NOW, ticket); /* its own goes */
    assert_int_equal(tickets_issue(*state, 0, "another", NOW, ticket), ERROR_LIMIT);
    issue(*state, "another", NOW + TICKET_LIFETIME_S, ticket);
    assert_int_equal(quota_held(quotas, QUOTA_TICKETS, quota_session(0, SESSION)), 0);
    assert_int_equal(
        tickets_issue(*state, 0, "a session id that is longer than one can be", NOW, ticket),
        ERROR_LIMIT);
}
