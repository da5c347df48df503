/* quota.c: what one holder may have, and that config/README.md says so. */
#include "policy/quota.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define README_BYTES (64 * 1024)

static struct quotas *quotas;

static int make(void **state)
{
    (void)state;
    return quotas_create(2, &quotas) == OK ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    quotas_destroy(quotas);
    quotas = NULL;
    return 0;
}

#define QUOTA_TEST(test) TEST_BETWEEN(test, make, drop)

QUOTA_TEST(test_a_session_fills_its_own_share_only)
{
    const struct quota_info *info = quota_info(QUOTA_QUESTIONS);
    struct quota_holder greedy = quota_session(0, "greedy"), other = quota_session(0, "other");

    for (unsigned i = 0; i < info->limit; i++)
        assert_int_equal(quota_take(quotas, QUOTA_QUESTIONS, greedy), REASON_ALLOWED);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(quota_take(quotas, QUOTA_QUESTIONS, greedy), REASON_QUOTA_QUESTIONS);
    assert_int_equal(quota_take(quotas, QUOTA_QUESTIONS, other), REASON_ALLOWED);
    assert_int_equal(quotas_counts(quotas, 0)->refused[QUOTA_QUESTIONS], 3);
    assert_int_equal(quotas_counts(quotas, 0)->gave_way[QUOTA_QUESTIONS], 0);
    assert_int_equal(quota_held(quotas, QUOTA_QUESTIONS, greedy), info->limit);
    assert_int_equal(quota_held(quotas, QUOTA_QUESTIONS, other), 1);
}

QUOTA_TEST(test_what_is_weighed_is_the_sum_of_its_parts)
{
    struct quota_holder holder = quota_session(0, "heavy");

    quota_weigh(quotas, QUOTA_HELD, holder, 0, 1000);
    quota_weigh(quotas, QUOTA_HELD, holder, 0, 500);
    quota_weigh(quotas, QUOTA_HELD, holder, 1000, 10);
    assert_int_equal(quota_held(quotas, QUOTA_HELD, holder), 510);
    quota_weigh(quotas, QUOTA_HELD, holder, 510, 0);
    assert_int_equal(quota_held(quotas, QUOTA_HELD, holder), 0);
    quota_weigh(quotas, QUOTA_HELD, holder, 7, 0);
    assert_int_equal(quota_held(quotas, QUOTA_HELD, holder), 0);
}

QUOTA_TEST(test_what_is_given_back_can_be_taken_again)
{
    struct quota_holder holder = quota_session(0, "one");

    assert_int_equal(quota_take_within(quotas, QUOTA_CONNECTIONS, holder, 1), REASON_ALLOWED);
    assert_int_equal(quota_take_within(quotas, QUOTA_CONNECTIONS, holder, 1),
                     REASON_QUOTA_CONNECTIONS);
    quota_give(quotas, QUOTA_CONNECTIONS, holder);
    assert_int_equal(quota_held(quotas, QUOTA_CONNECTIONS, holder), 0);
    assert_int_equal(quota_take_within(quotas, QUOTA_CONNECTIONS, holder, 1), REASON_ALLOWED);
    quota_give_way(quotas, QUOTA_CONNECTIONS, holder);
    assert_int_equal(quota_held(quotas, QUOTA_CONNECTIONS, holder), 0);
    assert_int_equal(quotas_counts(quotas, 0)->gave_way[QUOTA_CONNECTIONS], 1);
    assert_int_equal(quotas_counts(quotas, 0)->refused[QUOTA_CONNECTIONS], 1);
}

/* Rows, surfaces, sessions and users are apart, whatever their bytes. */
QUOTA_TEST(test_nobody_is_taken_for_another)
{
    uint32_t uid;
    struct quota_holder holders[6];

    memcpy(&uid, "abcd", sizeof(uid));
    holders[0] = quota_session(0, "abcd");
    holders[1] = quota_session(1, "abcd");
    holders[2] = quota_session(0, "abcde");
    holders[3] = quota_surface(0);
    holders[4] = quota_surface(1);
    holders[5] = quota_session(0, "abc");
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(quota_take(quotas, QUOTA_BODIES, holders[i]), REASON_ALLOWED);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(quota_held(quotas, QUOTA_BODIES, holders[i]), 1);
    assert_int_equal(quota_held(quotas, QUOTA_CALLER_CONNECTIONS, quota_caller(0, uid)), 0);
}

/* Of thousands of holders each is found, and nothing is left of them. */
QUOTA_TEST(test_many_holders_come_and_go)
{
    char name[16];

    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "%u", i);
        for (unsigned j = 0; j <= i % 2; j++)
            assert_int_equal(quota_take(quotas, QUOTA_TICKETS, quota_session(1, name)),
                             REASON_ALLOWED);
    }
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(name, sizeof(name), "%u", i);
        for (unsigned left = i % 2 + 1; left > 0; left--) {
            assert_int_equal(quota_held(quotas, QUOTA_TICKETS, quota_session(1, name)), left);
            quota_give(quotas, QUOTA_TICKETS, quota_session(1, name));
        }
        assert_int_equal(quota_held(quotas, QUOTA_TICKETS, quota_session(1, name)), 0);
    }
}

/* What cannot be counted is not let pass. */
QUOTA_TEST(test_holders_are_bounded)
{
    char name[16];
    unsigned taken = 0;

    for (unsigned i = 0; i < 70000; i++) {
        enum reason reason;

        snprintf(name, sizeof(name), "%u", i);
        reason = quota_take(quotas, QUOTA_TICKETS, quota_session(0, name));
        assert_true(reason == REASON_ALLOWED || reason == REASON_OUT_OF_MEMORY);
        taken += reason == REASON_ALLOWED ? 1 : 0;
    }
    assert_int_equal(taken, 65536);
}

/* A burst, then what time pays back; whoever rests has the whole again. */
TEST(test_rates)
{
    const struct quota_info *info = quota_info(QUOTA_REPORTS);
    unsigned per_second = quota_per_second(QUOTA_REPORTS);
    struct quota_rate rate = {0};
    unsigned spent = 0;

    for (unsigned i = 0; i < 2 * info->limit; i++)
        spent += quota_spend(&rate, QUOTA_REPORTS, 5000) ? 1 : 0;
    assert_int_equal(spent, info->limit);
    for (unsigned i = 0; i < 2 * info->limit; i++)
        spent += quota_spend(&rate, QUOTA_REPORTS, 6000) ? 1 : 0;
    assert_int_equal(spent, info->limit + per_second);
    assert_false(quota_rested(&rate, 6000 + 999));
    assert_true(quota_rested(&rate, 6000 + 1000 * info->limit / per_second));
}

/* Accounts of one holder share its count; a row without them and without things is forgotten. */
QUOTA_TEST(test_accounts)
{
    const struct quota_info *info = quota_info(QUOTA_OUTSTANDING);
    struct quota_holder greedy = quota_session(1, "greedy"), other = quota_session(1, "other");
    struct quota_account accounts[3], nobody = {0};

    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(
            quota_account_open(quotas, QUOTA_OUTSTANDING, i < 2 ? greedy : other, &accounts[i]),
            OK);
    for (unsigned i = 0; i < info->limit; i++)
        assert_int_equal(quota_account_take(&accounts[i % 2]), REASON_ALLOWED);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(quota_account_take(&accounts[i]), info->reason);
    assert_int_equal(quotas_counts(quotas, 1)->refused[QUOTA_OUTSTANDING], 2);
    assert_int_equal(quota_account_take(&accounts[2]), REASON_ALLOWED);
    quota_account_give(&accounts[0]);
    assert_int_equal(quota_account_take(&accounts[1]), REASON_ALLOWED);
    for (unsigned i = 0; i < info->limit; i++)
        quota_account_give(&accounts[i % 2]);
    quota_account_close(&accounts[0]);
    assert_int_equal(quota_account_take(&accounts[1]), REASON_ALLOWED);
    assert_int_equal(quota_held(quotas, QUOTA_OUTSTANDING, greedy), 1);
    quota_account_give(&accounts[1]);
    quota_give(quotas, QUOTA_OUTSTANDING, greedy); /* nothing to give */
    assert_int_equal(quota_account_take(&accounts[1]), REASON_ALLOWED);
    quota_account_give(&accounts[1]);
    quota_account_give(&accounts[2]);
    for (unsigned i = 0; i < 3; i++)
        quota_account_close(&accounts[i]);
    for (unsigned i = 0; i < 2 * info->limit; i++)
        assert_int_equal(quota_account_take(&nobody), REASON_ALLOWED);
}

/* The table of config/README.md is this one. */
TEST(test_readme)
{
    static char readme[README_BYTES], rows[8192];
    FILE *file = fopen(SOURCE_DIR "/config/README.md", "re");
    size_t used = 0;

    assert_non_null(file);
    readme[fread(readme, 1, sizeof(readme) - 1, file)] = '\0';
    fclose(file);
    for (enum quota row = 0; row < QUOTA_COUNT; row++) {
        const struct quota_info *info = quota_info(row);
        char limit[32] = "as configured";

        if (quota_per_second(row) > 0)
            snprintf(limit, sizeof(limit), "%u, and %u a second", info->limit,
                     quota_per_second(row));
        else if (info->limit != QUOTA_CONFIGURED)
            snprintf(limit, sizeof(limit), "%u", info->limit);
        used += (size_t)snprintf(
            rows + used, sizeof(rows) - used, "| `%s` | %s | %s | %s, `%s` | %s |\n", info->name,
            quota_per_text(info->per), limit,
            info->yields == QUOTA_OWN_OLDEST ? "own oldest goes" : "new one is refused",
            reason_info(info->reason)->code, info->text);
    }
    if (strstr(readme, rows) == NULL)
        fail_msg("config/README.md does not quote the quotas as they are:\n%s", rows);
}
