/* token.c: tokens we mint are accepted, and refused when anything about them changes. */
#include "token_fixture.h"

#include "unit.h"

CMFixtureFunction unit_set_up = make_keys, unit_tear_down = drop_keys;

static void assert_same_claims(const struct token_claims *left, const struct token_claims *right)
{
    assert_string_equal(left->subject, right->subject);
    assert_string_equal(left->surface, right->surface);
    assert_string_equal(left->session_id, right->session_id);
    assert_string_equal(left->token_id, right->token_id);
    assert_string_equal(left->params_digest, right->params_digest);
    assert_string_equal(left->generation, right->generation);
    assert_int_equal(left->issued_at, right->issued_at);
    assert_int_equal(left->not_before, right->not_before);
    assert_int_equal(left->expires_at, right->expires_at);
}

TEST(test_round_trip)
{
    struct token_claims claims = good_claims(), read;
    char *token = mint(&claims);

    assert_true(token_resembles(span_of(token)));
    assert_int_equal(token_verify(ours, span_of(token), "studio", NOW, &read), REASON_ALLOWED);
    assert_same_claims(&claims, &read);
    assert_int_equal(token_verify(ours, span_of(token), NULL, NOW, &read), REASON_ALLOWED);
    free(token);

    strcpy(claims.params_digest, "-");
    memset(claims.surface, 's', TOKEN_NAME_SIZE - 1);
    memset(claims.subject, 'u', TOKEN_NAME_SIZE - 1);
    claims.expires_at = NOW + SESSION_TTL_MAX_S;
    token = mint(&claims);
    assert_true(strlen(token) < TOKEN_BYTES_MAX);
    assert_int_equal(token_verify(ours, span_of(token), claims.surface, NOW, &read),
                     REASON_ALLOWED);
    assert_same_claims(&claims, &read);
    free(token);
}

/* What libjwt writes is what we compare with: a new version that writes otherwise fails here. */
TEST(test_header_is_the_one_known)
{
    static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    struct token_claims claims = good_claims();
    char *token = mint(&claims);
    char encoded[64];

    text_base64url((const unsigned char *)header, strlen(header), encoded);
    assert_memory_equal(token, encoded, strlen(encoded));
    assert_int_equal(token[strlen(encoded)], '.');
    free(token);
}

TEST(test_times)
{
    struct token_claims claims = good_claims(), read = {0};
    char *token = mint(&claims);

    assert_int_equal(verify(token, claims.expires_at - 1), REASON_ALLOWED);
    assert_int_equal(verify(token, claims.expires_at), REASON_TOKEN_EXPIRED);
    assert_int_equal(verify(token, NOW - TOKEN_LEEWAY_S), REASON_ALLOWED);
    assert_int_equal(verify(token, NOW - TOKEN_LEEWAY_S - 1), REASON_TOKEN_NOT_YET_VALID);
    assert_int_equal(verify(token, 0), REASON_TOKEN_NOT_YET_VALID);
    assert_int_equal(verify(token, -5), REASON_TOKEN_NOT_YET_VALID);
    /* An expired or misdirected token still says whose it is. */
    assert_int_equal(token_verify(ours, span_of(token), NULL, claims.expires_at, &read),
                     REASON_TOKEN_EXPIRED);
    assert_same_claims(&claims, &read);
    read = (struct token_claims){0};
    assert_int_equal(token_verify(ours, span_of(token), "other", NOW, &read),
                     REASON_TOKEN_WRONG_SURFACE);
    assert_same_claims(&claims, &read);
    /* A forged one says nothing. */
    read = (struct token_claims){0};
    assert_int_equal(token_verify(other, span_of(token), "studio", NOW, &read),
                     REASON_TOKEN_SIGNATURE);
    assert_same_claims(&(struct token_claims){0}, &read);
    free(token);
}

static void refuse_mint(struct token_claims claims)
{
    char *token = NULL;

    assert_int_equal(token_mint(ours, &claims, &token), ERROR_INVALID);
    assert_null(token);
}

TEST(test_mint_refuses_what_verify_would)
{
    struct token_claims claims;

    claims = good_claims(), claims.surface[0] = '\0', refuse_mint(claims);
    claims = good_claims(), claims.surface[0] = '"', refuse_mint(claims);
    claims = good_claims(), claims.subject[3] = ' ', refuse_mint(claims);
    claims = good_claims(), claims.session_id[0] = 'F', refuse_mint(claims);
    claims = good_claims(), claims.session_id[31] = '\0', refuse_mint(claims);
    claims = good_claims(), claims.token_id[5] = 'g', refuse_mint(claims);
    claims = good_claims(), claims.generation[31] = '\0', refuse_mint(claims);
    claims = good_claims(), claims.generation[0] = 'A', refuse_mint(claims);
    claims = good_claims(), claims.params_digest[63] = '\0', refuse_mint(claims);
    claims = good_claims(), claims.params_digest[0] = '\0', refuse_mint(claims);
    claims = good_claims(), claims.expires_at = NOW, refuse_mint(claims);
    claims = good_claims(), claims.expires_at = NOW + SESSION_TTL_MAX_S + 1, refuse_mint(claims);
    claims = good_claims(), claims.not_before = NOW + SESSION_TTL_DEFAULT_S, refuse_mint(claims);
    claims = good_claims(), claims.issued_at = -1, refuse_mint(claims);
    claims = good_claims(), claims.expires_at = INT64_MAX, refuse_mint(claims);
}

/*
 * Every bit of every byte: no changed token may pass. A change of the header, of a
 * dot or to a byte that no segment has is a change of form.
 */
TEST(test_bit_flips)
{
    struct token_claims claims = good_claims();
    char *token = mint(&claims);
    size_t length = strlen(token), header_length = strcspn(token, ".");

    for (size_t i = 0; i < length; i++) {
        char genuine = token[i];

        for (unsigned bit = 0; bit < 8; bit++) {
            bool in_form;

            token[i] = (char)(genuine ^ (1 << bit));
            in_form = i > header_length && genuine != '.' && token[i] != '\0' &&
                      strchr(BASE64URL, token[i]) != NULL;
            assert_int_equal(token_verify(ours, (struct span){token, length}, NULL, NOW, &claims),
                             in_form ? REASON_TOKEN_SIGNATURE : REASON_TOKEN_MALFORMED);
        }
        token[i] = genuine;
    }
    assert_int_equal(verify(token, NOW), REASON_ALLOWED);
    free(token);
}

TEST(test_every_prefix_is_refused)
{
    struct token_claims claims = good_claims();
    char *token = mint(&claims);

    for (size_t length = 0; length < strlen(token); length++) {
        char *cut = text_copy((struct span){token, length});

        assert_int_equal(verify(cut, NOW), REASON_TOKEN_MALFORMED);
        assert_int_equal(token_verify(ours, (struct span){NULL, length}, NULL, NOW, &claims),
                         REASON_TOKEN_MALFORMED);
        free(cut);
    }
    free(token);
}

TEST(test_resembles)
{
    struct token_claims claims = good_claims();
    char *token = mint(&claims);

    assert_true(token_resembles(span_of(token)));
    token[strlen(token) - 1] = token[strlen(token) - 1] == 'A' ? 'E' : 'A';
    assert_true(token_resembles(span_of(token))); /* forged, but a token in form */
    token[strlen(token) - 1] = '\0';
    assert_false(token_resembles(span_of(token)));
    assert_false(token_resembles(span_of("")));
    assert_false(token_resembles(span_of(NULL)));
    assert_false(token_resembles(span_of("a.b.c")));
    free(token);
}

TEST(test_alphabets)
{
    assert_true(token_digest_valid("-"));
    assert_false(token_digest_valid(""));
    assert_false(token_id_valid("-"));
    assert_true(token_id_valid("00112233445566778899aabbccddeeff"));
    assert_false(token_id_valid("00112233445566778899AABBCCDDEEFF"));
}
