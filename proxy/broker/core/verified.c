#include "broker/core/verified.h"

#include <stdlib.h>
#include <string.h>

struct verified_token {
    struct hash_entry by_digest;
    TAILQ_ENTRY(verified_token) seen;
    unsigned char digest[SHA256_BYTES];
    struct token_claims claims;
};

static uint64_t hash_of(const unsigned char digest[SHA256_BYTES])
{
    uint64_t hash;

    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

static struct verified_token *find(const struct verified *verified,
                                   const unsigned char digest[SHA256_BYTES])
{
    struct hash_entry *entry = hash_first(&verified->by_digest, hash_of(digest));

    for (; entry != NULL; entry = hash_next(entry)) {
        struct verified_token *token = HASH_OWNER(entry, struct verified_token, by_digest);

        if (secret_equal(token->digest, digest, SHA256_BYTES))
            return token;
    }
    return NULL;
}

static void forget_oldest(struct verified *verified)
{
    struct verified_token *token = TAILQ_FIRST(&verified->seen);

    hash_remove(&verified->by_digest, &token->by_digest);
    TAILQ_REMOVE(&verified->seen, token, seen);
    verified->count--;
    free(token);
}

/* Without memory it is read again next time. */
static void remember(struct verified *verified, const unsigned char digest[SHA256_BYTES],
                     const struct token_claims *claims)
{
    struct verified_token *token = malloc(sizeof(*token));

    if (token == NULL)
        return;
    if (verified->count == 0)
        TAILQ_INIT(&verified->seen);
    else if (verified->count == VERIFIED_TOKENS_MAX)
        forget_oldest(verified);
    memcpy(token->digest, digest, SHA256_BYTES);
    token->claims = *claims;
    hash_add(&verified->by_digest, &token->by_digest, hash_of(digest));
    TAILQ_INSERT_TAIL(&verified->seen, token, seen);
    verified->count++;
}

void verified_clear(struct verified *verified)
{
    while (verified->count > 0)
        forget_oldest(verified);
    hash_clear(&verified->by_digest);
}

static enum reason read_token(struct verified *verified, const struct secret_key *key,
                              struct span token, struct token_claims *out)
{
    unsigned char digest[SHA256_BYTES];
    struct verified_token *known;
    enum reason reason;

    secret_sha256(token.data, token.length, digest);
    known = find(verified, digest);
    if (known != NULL) {
        TAILQ_REMOVE(&verified->seen, known, seen);
        TAILQ_INSERT_TAIL(&verified->seen, known, seen);
        *out = known->claims;
        return REASON_ALLOWED;
    }
    reason = token_read(key, token, out);
    if (reason_allows(reason))
        remember(verified, digest, out);
    return reason;
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
