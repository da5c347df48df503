/*
 * Tokens whose signature and form were found good, so that a client's next connection does not
 * have that done again. What changes is judged each time: the times, the surface, the session.
 *
 * A token is known by its SHA-256: nothing to steal here. Who is not known for long enough is
 * forgotten for another.
 */
#pragma once

#include "base/secret.h"
#include "policy/token.h"

#define VERIFIED_TOKENS_MAX 256

/* All zero is empty. */
struct verified {
    struct verified_token {
        bool known;
        unsigned char digest[SHA256_BYTES];
        struct token_claims claims;
    } tokens[VERIFIED_TOKENS_MAX];
};

/* As token_verify(). */
enum reason verified_token(struct verified *verified, const struct secret_key *key,
                           struct span token, const char *surface, int64_t now,
                           struct token_claims *out);
