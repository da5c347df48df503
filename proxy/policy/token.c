#include "policy/token.h"

#include "json/parse.h"

#include <jansson.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* {"alg":"HS256","typ":"JWT"}: the one header libjwt writes, and the one accepted. */
#define HEADER            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define SIGNATURE_BYTES   43 /* base64url of 32 bytes, without padding */
#define PAYLOAD_BYTES_MAX (TOKEN_BYTES_MAX / 4 * 3)
#define TIME_MAX          INT64_C(253402300799) /* the end of the year 9999 */

/* "uid:1000": names with colons between them. */
static bool subject_valid(const char *subject)
{
    char name[TOKEN_NAME_SIZE];
    size_t length = strlen(subject);

    if (length >= sizeof(name))
        return false;
    for (size_t i = 0; i <= length; i++)
        name[i] = (char)(subject[i] == ':' ? '.' : subject[i]);
    return text_is_name(name);
}

bool token_id_valid(const char *id)
{
    return text_is_hex(id, TOKEN_ID_SIZE - 1);
}

bool token_digest_valid(const char *digest)
{
    return strcmp(digest, "-") == 0 || text_is_hex(digest, SHA256_HEX_SIZE - 1);
}

/* The claims, in the order libjwt writes them: sorted by name. */
struct claim {
    const char *name;
    bool (*valid)(const char *value); /* NULL: a time */
    size_t offset;                    /* in struct token_claims */
    size_t size;
};

#define TEXT_CLAIM(name, member, valid)                                                            \
    {                                                                                              \
        name, valid, offsetof(struct token_claims, member),                                        \
            sizeof(((struct token_claims *)NULL)->member)                                          \
    }
#define TIME_CLAIM(name, member)                                                                   \
    {                                                                                              \
        name, NULL, offsetof(struct token_claims, member), sizeof(int64_t)                         \
    }
#define ISSUER_INDEX 3 /* iss is a constant and has no member */

static const struct claim claim_table[] = {
    TEXT_CLAIM("aud", surface, text_is_name),
    TIME_CLAIM("exp", expires_at),
    TIME_CLAIM("iat", issued_at),
    {"iss", NULL, 0, 0},
    TEXT_CLAIM("jti", token_id, token_id_valid),
    TIME_CLAIM("nbf", not_before),
    TEXT_CLAIM("prm", params_digest, token_digest_valid),
    TEXT_CLAIM("sid", session_id, token_id_valid),
    TEXT_CLAIM("sub", subject, subject_valid),
};
#define CLAIM_COUNT (sizeof(claim_table) / sizeof(claim_table[0]))

static bool times_valid(const struct token_claims *claims)
{
    return claims->issued_at > 0 && claims->not_before > 0 && claims->expires_at <= TIME_MAX &&
           claims->expires_at > claims->not_before && claims->expires_at > claims->issued_at &&
           claims->expires_at - claims->issued_at <= TOKEN_LIFETIME_MAX_S;
}

static bool claims_valid(const struct token_claims *claims)
{
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        const struct claim *claim = &claim_table[i];

        if (claim->valid != NULL && !claim->valid((const char *)claims + claim->offset))
            return false;
    }
    return times_valid(claims);
}

/*
 * libjwt, 1.10.2 to 1.17, begins here. A string it returns is from malloc(): no
 * part of Sidelock gives it another allocator, so free() is right for every
 * version, and jwt_free_str(), which 1.10 lacks, is not needed.
 */

static bool add_claims(jwt_t *jwt, const struct token_claims *claims)
{
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        const struct claim *claim = &claim_table[i];
        const char *member = (const char *)claims + claim->offset;
        int64_t time;
        int failed;

        if (i == ISSUER_INDEX) {
            failed = jwt_add_grant(jwt, claim->name, TOKEN_ISSUER);
        } else if (claim->valid != NULL) {
            failed = jwt_add_grant(jwt, claim->name, member);
        } else {
            memcpy(&time, member, sizeof(time));
            failed = jwt_add_grant_int(jwt, claim->name, (long)time);
        }
        if (failed)
            return false;
    }
    return true;
}

enum error token_mint(const struct secret_key *key, const struct token_claims *claims, char **out)
{
    jwt_t *jwt = NULL;
    char *token = NULL;

    if (!claims_valid(claims))
        return ERROR_INVALID;
    if (jwt_new(&jwt) == 0 && add_claims(jwt, claims) &&
        jwt_set_alg(jwt, JWT_ALG_HS256, secret_key_bytes(key), SECRET_KEY_BYTES) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    if (token == NULL)
        return ERROR_CRYPTO;
    *out = token;
    return OK;
}

/* The signature, and nothing else: libjwt's view of the content is not relied on. */
static bool signature_verifies(const struct secret_key *key, struct span token)
{
    char text[TOKEN_BYTES_MAX + 1];
    jwt_t *jwt = NULL;
    bool verified;

    memcpy(text, token.data, token.length);
    text[token.length] = '\0';
    verified = jwt_decode(&jwt, text, secret_key_bytes(key), SECRET_KEY_BYTES) == 0 &&
               jwt_get_alg(jwt) == JWT_ALG_HS256;
    jwt_free(jwt);
    secret_wipe(text, token.length);
    return verified;
}

/* libjwt ends here. */

static bool all_base64url(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        char byte = span.data[i];

        if (!(byte >= 'A' && byte <= 'Z') && !(byte >= 'a' && byte <= 'z') &&
            !(byte >= '0' && byte <= '9') && byte != '-' && byte != '_')
            return false;
    }
    return span.length > 0;
}

/* HEADER '.' payload '.' signature, and nothing more; *payload is the part in the middle. */
static bool has_form(struct span token, struct span *payload)
{
    const size_t before = sizeof(HEADER), after = SIGNATURE_BYTES + 1; /* with their dots */
    struct span signature;

    if (token.data == NULL || token.length > TOKEN_BYTES_MAX || token.length <= before + after ||
        memcmp(token.data, HEADER ".", before) != 0 || token.data[token.length - after] != '.')
        return false;
    *payload = (struct span){token.data + before, token.length - before - after};
    signature = (struct span){token.data + token.length - SIGNATURE_BYTES, SIGNATURE_BYTES};
    return all_base64url(*payload) && all_base64url(signature);
}

bool token_resembles(struct span bytes)
{
    struct span payload;

    return has_form(bytes, &payload);
}

/* RFC 4648 section 5 without padding. */
static bool decode_payload(struct span encoded, char *out, size_t *length)
{
    unsigned char padded[TOKEN_BYTES_MAX + 4];
    size_t count = encoded.length;
    int decoded;

    for (size_t i = 0; i < count; i++) {
        char byte = encoded.data[i];

        padded[i] = (unsigned char)(byte == '-' ? '+' : byte == '_' ? '/' : byte);
    }
    while (count % 4 != 0)
        padded[count++] = '=';
    decoded = EVP_DecodeBlock((unsigned char *)out, padded, (int)count);
    if (decoded < 0 || count - encoded.length > 2)
        return false;
    *length = (size_t)decoded - (count - encoded.length);
    return true;
}

static bool read_claim(const struct claim *claim, const json_t *value, char *member)
{
    const char *text = json_string_value(value);
    int64_t time = json_integer_value(value);

    if (claim->valid == NULL) {
        memcpy(member, &time, sizeof(time));
        return json_is_integer(value);
    }
    if (text == NULL || strlen(text) >= claim->size)
        return false;
    memcpy(member, text, strlen(text) + 1);
    return true;
}

static bool read_claims(struct span payload, struct token_claims *out)
{
    char json[PAYLOAD_BYTES_MAX + 4];
    bool read = true;
    json_t *root;
    size_t length;

    if (!decode_payload(payload, json, &length) || json_parse(json, length, &root) != OK)
        return false;
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        const struct claim *claim = &claim_table[i];

        if (i != ISSUER_INDEX)
            read = read && read_claim(claim, json_object_get(root, claim->name),
                                      (char *)out + claim->offset);
    }
    json_decref(root);
    return read;
}

/*
 * Whether these claims are all that the token says: minted anew, they give the same
 * bytes. Strangers, duplicates, another order or spelling have no place to be.
 */
static bool says_only(const struct secret_key *key, const struct token_claims *claims,
                      struct span token)
{
    char *again;
    bool same;

    if (token_mint(key, claims, &again) != OK)
        return false;
    same = span_equals(token, again);
    secret_wipe(again, strlen(again));
    free(again);
    return same;
}

enum reason token_verify(const struct secret_key *key, struct span token, const char *surface,
                         int64_t now, struct token_claims *out)
{
    struct token_claims claims = {0};
    struct span payload;

    if (!has_form(token, &payload))
        return REASON_TOKEN_MALFORMED;
    if (!signature_verifies(key, token))
        return REASON_TOKEN_SIGNATURE;
    if (!read_claims(payload, &claims) || !says_only(key, &claims, token))
        return REASON_TOKEN_CLAIMS;
    if (claims.not_before > now + TOKEN_LEEWAY_S || claims.issued_at > now + TOKEN_LEEWAY_S)
        return REASON_TOKEN_NOT_YET_VALID;
    *out = claims;
    if (surface != NULL && strcmp(claims.surface, surface) != 0)
        return REASON_TOKEN_WRONG_SURFACE;
    return claims.expires_at <= now ? REASON_TOKEN_EXPIRED : REASON_ALLOWED;
}
