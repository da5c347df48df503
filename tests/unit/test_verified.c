/* core/verified.c: a token is read once, and judged each time. */
#include "broker/core/verified.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1700000000

static struct verified verified;
static struct secret_key *key, *other;

static int set_up(void **state)
{
    static const unsigned char ours[SECRET_KEY_BYTES] = {1}, theirs[SECRET_KEY_BYTES] = {2};

    (void)state;
    memset(&verified, 0, sizeof(verified));
    return secret_key_from_bytes(ours, &key) == OK && secret_key_from_bytes(theirs, &other) == OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    verified_clear(&verified);
    secret_key_destroy(key);
    secret_key_destroy(other);
    return 0;
}

#define VERIFIED_TEST(test) TEST_BETWEEN(test, set_up, tear_down)

static char *mint(unsigned number)
{
    struct token_claims claims = {.subject = "uid:1000",
                                  .surface = "studio",
                                  .params_digest = "-",
                                  .generation = "00112233445566778899aabbccddeeff",
                                  .token_id = "00112233445566778899aabbccddeeff",
                                  .issued_at = NOW,
                                  .not_before = NOW,
                                  .expires_at = NOW + 60};
    char *token;

    snprintf(claims.session_id, sizeof(claims.session_id), "%032x", number);
    assert_int_equal(token_mint(key, &claims, &token), OK);
    return token;
}

static enum reason verify(const struct secret_key *with, const char *token, const char *surface,
                          int64_t now)
{
    struct token_claims claims = {0};
    enum reason reason = verified_token(&verified, with, span_of(token), surface, now, &claims);

    if (reason_allows(reason))
        assert_string_equal(claims.surface, "studio");
    return reason;
}

VERIFIED_TEST(test_judged_each_time)
{
    char *token = mint(1);

    assert_int_equal(verify(key, token, "studio", NOW), REASON_ALLOWED);
    assert_int_equal(verify(key, token, "studio", NOW + 59), REASON_ALLOWED);
    assert_int_equal(verify(key, token, "other", NOW), REASON_TOKEN_WRONG_SURFACE);
    assert_int_equal(verify(key, token, "studio", NOW + 60), REASON_TOKEN_EXPIRED);
    assert_int_equal(verify(key, token, "studio", NOW - 60), REASON_TOKEN_NOT_YET_VALID);
    free(token);
}

/* It is the very bytes that are known, and none that was refused. */
VERIFIED_TEST(test_other_bytes)
{
    char *token = mint(1);
    size_t length = strlen(token);

    assert_int_equal(verify(other, token, "studio", NOW), REASON_TOKEN_SIGNATURE);
    assert_int_equal(verify(other, token, "studio", NOW), REASON_TOKEN_SIGNATURE);
    assert_int_equal(verify(key, token, "studio", NOW), REASON_ALLOWED);
    for (size_t i = 0; i < length; i++) {
        char byte = token[i];

        token[i] = byte == 'A' ? 'B' : 'A';
        assert_false(reason_allows(verify(key, token, "studio", NOW)));
        token[i] = byte;
    }
    token[length - 1] = '\0';
    assert_false(reason_allows(verify(key, token, "studio", NOW)));
    assert_int_equal(verify(key, "", "studio", NOW), REASON_TOKEN_MALFORMED);
    free(token);
}

/* Of more than there is room for, those that were not seen for longest are forgotten. */
VERIFIED_TEST(test_many)
{
    char *first = mint(0), *second = mint(1);

    assert_int_equal(verify(key, first, "studio", NOW), REASON_ALLOWED);
    assert_int_equal(verify(key, second, "studio", NOW), REASON_ALLOWED);
    for (unsigned i = 2; i <= VERIFIED_TOKENS_MAX; i++) {
        char *token = mint(i);

        assert_int_equal(verify(key, token, "studio", NOW), REASON_ALLOWED);
        assert_int_equal(verify(key, first, "studio", NOW), REASON_ALLOWED);
        free(token);
    }
    assert_int_equal(verified.count, VERIFIED_TOKENS_MAX);
    /* Whoever is known is not read again: here not even with the key it was signed with. */
    assert_int_equal(verify(other, first, "studio", NOW), REASON_ALLOWED);
    assert_int_equal(verify(other, second, "studio", NOW), REASON_TOKEN_SIGNATURE);
    free(first);
    free(second);
}
