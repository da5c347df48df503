/*
 * Session tokens: JWTs (RFC 7519) signed with HS256, minted and verified here
 * and nowhere else. The only file that knows libjwt, whose 1.10.2 accepts far
 * more than it should: everything a token may be is checked around it.
 *
 * A token is accepted only if it is, byte for byte, what token_mint would have
 * made of its claims: one header, ten claims in one order, no white space and
 * no escapes. Whatever another parser might read differently is thus refused.
 */
#pragma once

#include "base/reason.h"
#include "base/secret.h"
#include "base/text.h"

#define TOKEN_BYTES_MAX      2048
#define TOKEN_ISSUER         "sidelock"
#define TOKEN_ID_SIZE        33                        /* 128 random bits in hex, with NUL */
#define TOKEN_NAME_SIZE      (TEXT_NAME_BYTES_MAX + 1) /* surface and subject, with NUL */
#define TOKEN_LIFETIME_MAX_S 604800                    /* seven days */
#define TOKEN_LEEWAY_S       5 /* clock leeway on nbf and iat; none on exp */

/* Exactly the claims a token carries; times are seconds since the epoch. */
struct token_claims {
    char subject[TOKEN_NAME_SIZE];       /* sub: "uid:1000", who had the session made */
    char surface[TOKEN_NAME_SIZE];       /* aud */
    char session_id[TOKEN_ID_SIZE];      /* sid */
    char token_id[TOKEN_ID_SIZE];        /* jti */
    char params_digest[SHA256_HEX_SIZE]; /* prm: hex, or "-" for no parameter record */
    char generation[TOKEN_ID_SIZE];      /* gen: of the store that the session was made in */
    int64_t issued_at, not_before, expires_at;
};

/*
 * Signs; *out is the compact serialisation, freed by the caller after
 * secret_wipe. ERROR_INVALID for claims that token_verify would refuse.
 */
enum error token_mint(const struct secret_key *key, const struct token_claims *claims,
                      char **out) MUST_CHECK;

/* What token_verify() does first and once for all: signature and form. *out is set only on
 * REASON_ALLOWED. */
enum reason token_read(const struct secret_key *key, struct span token, struct token_claims *out);
/* And then, each time: for this surface (NULL: any), now. */
enum reason token_judge(const struct token_claims *claims, const char *surface, int64_t now);

/*
 * Verifies signature, form and times of a token; the session behind it is the
 * caller's to check. `surface` may be NULL: any audience. *out is set only on
 * REASON_ALLOWED, REASON_TOKEN_EXPIRED and REASON_TOKEN_WRONG_SURFACE (so that
 * a denial can name the session).
 */
enum reason token_verify(const struct secret_key *key, struct span token, const char *surface,
                         int64_t now, struct token_claims *out);

/* Whether bytes look like one of our tokens. */
bool token_resembles(struct span bytes);
/* The first place in a text that looks like one, whatever is around it; absent if there is none. */
struct span token_find(struct span text);

/* The alphabets of what a token names; the store holds its rows to the same. */
bool token_id_valid(const char *id);         /* 32 lower-case hexadecimal digits */
bool token_digest_valid(const char *digest); /* 64 lower-case hexadecimal digits, or "-" */
