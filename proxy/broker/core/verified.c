#include "broker/core/verified.h"

#include <string.h>

_Static_assert(VERIFIED_TOKENS_MAX == UINT8_MAX + 1, "a place for each first byte of a digest");

static enum reason read_token(struct verified *verified, const struct secret_key *key,
                              struct span token, struct token_claims *out)
{
    unsigned char digest[SHA256_BYTES];
    struct verified_token *place;
    enum reason reason;

    secret_sha256(token.data, token.length, digest);
    place = &verified->tokens[digest[0]];
    if (place->known && secret_equal(place->digest, digest, sizeof(digest))) {
        *out = place->claims;
        return REASON_ALLOWED;
    }
    reason = token_read(key, token, out);
    if (!reason_allows(reason))
        return reason;
    place->known = true;
    place->claims = *out;
    memcpy(place->digest, digest, sizeof(digest));
    return REASON_ALLOWED;
}

enum reason verified_token(struct verified *verified, const struct secret_key *key,
                           struct span token, const char *surface, int64_t now,
                           struct token_claims *out)
{
    struct token_claims claims;
    enum reason reason = token.length <= TOKEN_BYTES_MAX ? read_token(verified, key, token, &claims)
                                                         : REASON_TOKEN_MALFORMED;

    if (!reason_allows(reason))
        return reason;
    reason = token_judge(&claims, surface, now);
    if (reason != REASON_TOKEN_NOT_YET_VALID)
        *out = claims;
    return reason;
}
