/*
 * Tokens whose signature and form were found good, so that a client's next connection does not
 * have that done again. What changes is judged each time: the times, the surface, the session.
 *
 * A token is known by its SHA-256: nothing to steal here. Where there are too many, who was not
 * seen for longest is forgotten.
 */
#pragma once

#include "base/hash.h"
#include "base/secret.h"
#include "policy/token.h"

#include <sys/queue.h>

#define VERIFIED_TOKENS_MAX 16384 /* some 400 bytes each */

struct verified_token;

/* All zero is empty. */
struct verified {
    struct hash_table by_digest;
    TAILQ_HEAD(, verified_token) seen; /* the one that was seen last is the last */
    size_t count;
};

void verified_clear(struct verified *verified);

/* As token_verify(). */
enum reason verified_token(struct verified *verified, const struct secret_key *key,
                           struct span token, const char *surface, int64_t now,
                           struct token_claims *out);
