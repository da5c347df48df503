/* session.c: when a stored session is good for what is presented. */
#include "policy/session.h"

#include "unit.h"

#include <stdint.h>
#include <string.h>

#define NOW          1700000000
#define DIGEST       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER_DIGEST "baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A question to session_check; the defaults are answered with REASON_ALLOWED. */
struct question {
    struct session session;
    struct token_claims claims;
    const char *current_digest;
    bool caller_known;
    uint32_t caller_uid;
    int64_t now;
};

static struct question good(void)
{
    return (struct question){
        .session = {.id = "00112233445566778899aabbccddeeff",
                    .token_id = "ffeeddccbbaa99887766554433221100",
                    .surface = "studio",
                    .params_name = "everything",
                    .params_digest = DIGEST,
                    .created_at = NOW,
                    .expires_at = NOW + 900},
        .claims = {.session_id = "00112233445566778899aabbccddeeff",
                   .token_id = "ffeeddccbbaa99887766554433221100",
                   .surface = "studio",
                   .params_digest = DIGEST},
        .current_digest = DIGEST,
        .caller_known = true,
        .caller_uid = 1000,
        .now = NOW,
    };
}

static void expect(const struct question *question, enum reason expected)
{
    enum reason reason =
        session_check(&question->session, &question->claims, question->current_digest,
                      question->caller_known, question->caller_uid, question->now);

    assert_string_equal(reason_info(reason)->code, reason_info(expected)->code);
}

TEST(test_good)
{
    struct question question = good();

    expect(&question, REASON_ALLOWED);
    question.caller_known = false; /* nobody is named: anybody may */
    expect(&question, REASON_ALLOWED);
    strcpy(question.session.params_digest, "-");
    strcpy(question.claims.params_digest, "-");
    question.current_digest = "-";
    expect(&question, REASON_ALLOWED);
}

TEST(test_token_of_another_session)
{
    struct question question = good();

    question.claims.session_id[0] = 'f';
    expect(&question, REASON_SESSION_UNKNOWN);
    question = good();
    question.claims.token_id[31] = '1';
    expect(&question, REASON_SESSION_UNKNOWN);
    question = good();
    strcpy(question.claims.surface, "studio2");
    expect(&question, REASON_TOKEN_WRONG_SURFACE);
    question = good();
    strcpy(question.claims.params_digest, "-");
    expect(&question, REASON_TOKEN_CLAIMS);
}

TEST(test_revoked_and_expired)
{
    struct question question = good();

    question.now = NOW + 899;
    expect(&question, REASON_ALLOWED);
    question.now = NOW + 900;
    expect(&question, REASON_SESSION_EXPIRED);
    question.session.revoked_at = NOW + 1;
    expect(&question, REASON_SESSION_REVOKED);
    question.now = NOW;
    expect(&question, REASON_SESSION_REVOKED);
}

TEST(test_once)
{
    struct question question = good();

    question.session.once = true;
    expect(&question, REASON_ALLOWED);
    question.session.used_at = NOW;
    expect(&question, REASON_SESSION_USED);
    question.session.once = false;
    expect(&question, REASON_ALLOWED);
}

TEST(test_changed_record)
{
    struct question question = good();

    question.current_digest = OTHER_DIGEST;
    expect(&question, REASON_PARAMS_CHANGED);
    question.current_digest = NULL;
    expect(&question, REASON_PARAMS_CHANGED);
    question.current_digest = "-";
    expect(&question, REASON_PARAMS_CHANGED);
    question.current_digest = "";
    expect(&question, REASON_PARAMS_CHANGED);
}

TEST(test_callers)
{
    struct question question = good();

    question.session.callers_set = true;
    expect(&question, REASON_CALLER_MISMATCH); /* named, but an empty list */
    question.session.callers[0] = 5;
    question.session.callers[1] = 1000;
    question.session.caller_count = 1;
    expect(&question, REASON_CALLER_MISMATCH);
    question.session.caller_count = 2;
    expect(&question, REASON_ALLOWED);
    question.caller_known = false;
    expect(&question, REASON_CALLER_UNKNOWN);
    question = good();
    question.session.callers_set = true;
    question.session.callers[0] = 0;
    question.session.caller_count = 1;
    question.caller_known = false;
    question.caller_uid = 0; /* meaningless: must not pass for root */
    expect(&question, REASON_CALLER_UNKNOWN);
}

/* Through a ticket there are no claims; everything else is checked all the same. */
TEST(test_without_claims)
{
    struct question question = good();

    assert_int_equal(session_check(&question.session, NULL, DIGEST, true, 1000, NOW),
                     REASON_ALLOWED);
    assert_int_equal(session_check(&question.session, NULL, NULL, true, 1000, NOW),
                     REASON_PARAMS_CHANGED);
    question.session.revoked_at = NOW;
    assert_int_equal(session_check(&question.session, NULL, DIGEST, true, 1000, NOW),
                     REASON_SESSION_REVOKED);
}

TEST(test_clear)
{
    struct session session = good().session;

    assert_int_equal(text_list_add(&session.verbs, "list_tools", 10), OK);
    assert_int_equal(text_list_add(&session.targets, "echo", 4), OK);
    session_clear(&session);
    assert_int_equal(session.verbs.count, 0);
    assert_null(session.targets.items);
    assert_string_equal(session.id, "");
    session_clear(&session);
}
