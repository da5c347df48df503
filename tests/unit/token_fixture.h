/* Two keys and a good token, for the tests of token.c. */
#pragma once

#include "policy/session.h"
#include "policy/token.h"
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOW       1700000000
#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

static struct secret_key *ours, *other;

static inline int make_keys(void **state)
{
    unsigned char bytes[SECRET_KEY_BYTES];

    (void)state;
    if (secret_random(bytes, sizeof(bytes)) != OK || secret_key_from_bytes(bytes, &ours) != OK ||
        secret_random(bytes, sizeof(bytes)) != OK || secret_key_from_bytes(bytes, &other) != OK)
        return -1;
    return 0;
}

static inline int drop_keys(void **state)
{
    (void)state;
    secret_key_destroy(ours);
    secret_key_destroy(other);
    return 0;
}

static inline struct token_claims good_claims(void)
{
    struct token_claims claims = {.subject = "uid:1000",
                                  .surface = "studio",
                                  .session_id = "00112233445566778899aabbccddeeff",
                                  .token_id = "ffeeddccbbaa99887766554433221100",
                                  .generation = "0123456789abcdef0123456789abcdef",
                                  .issued_at = NOW,
                                  .not_before = NOW,
                                  .expires_at = NOW + SESSION_TTL_DEFAULT_S};

    memset(claims.params_digest, 'a', SHA256_HEX_SIZE - 1);
    return claims;
}

static inline char *mint(const struct token_claims *claims)
{
    char *token = NULL;

    assert_int_equal(token_mint(ours, claims, &token), OK);
    return token;
}

static inline enum reason verify(const char *token, int64_t now)
{
    struct token_claims claims;

    return token_verify(ours, span_of(token), "studio", now, &claims);
}
